"""The map's rows add up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpcheck.bench.profile.attribution import CallCost, Event, TimeCost, attribute
from mpcheck.bench.profile.map import bound, fastest_calls, rows_of


def block(name: str, start: float, end: float, thread: int = 0) -> Event:
    return Event(name, start, end, thread, "range")


@st.composite
def calls_of_model(draw: st.DrawFn) -> list[Event]:
    """A call with events anywhere in it, on two threads, overlapping as they please."""
    times = st.integers(0, 1000)
    events = [block("model", 0, 1000)]
    for _ in range(draw(st.integers(0, 25))):
        start, end = sorted((draw(times), draw(times)))
        kind = draw(st.sampled_from(["range", "node", "compute", "waiting", "other"]))
        events.append(Event(draw(st.sampled_from("abc")), start, end, draw(st.integers(0, 1)), kind, draw(st.integers(-1, 9))))
    return events


@given(calls_of_model())
def test_rows_add_up_whatever_the_events(events: list[Event]) -> None:
    calls = attribute(events)
    rows = rows_of(calls, "cpu")
    assert sum(c.host for c in calls[0].own.values()) == pytest.approx(1000)
    assert sum(r.share for r in rows) == pytest.approx(1)
    assert sum(r.forward.host + r.backward.host for r in rows) == pytest.approx(1e-3)


def test_the_eighty_percent_rule() -> None:
    assert [bound("cuda", TimeCost(10, d)) for d in (7.9, 8.0)] == ["CPU-bound", "GPU-bound"]
    assert [bound("cpu", TimeCost(10, d)) for d in (7.9, 8.0)] == ["overhead-bound", "kernel-bound"]
    assert bound("cpu", TimeCost()) == "-"


def test_the_fastest_quarter_is_kept() -> None:
    assert [c.duration for c in fastest_calls([CallCost(d) for d in (5, 1, 4, 2, 3)])] == [1, 2]
    assert len(fastest_calls([CallCost(1)])) == 1
