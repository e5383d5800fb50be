"""Speed against accuracy of whole models."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from mpcheck.report.pictures.canvas import settings as drawing
from mpcheck.report.pictures.pareto import Mark, Quantity, front, pareto_picture
from mpcheck.report.pictures.svg import standalone
from tests.unit.report.pictures.samples import texts


def mark(policy: str, speedup: float, error: float, backend: str = "e3nn", variant: str = "") -> Mark:
    return Mark(policy, backend, variant, speedup, 0.9 * speedup, 1.1 * speedup, error)


MARKS = [
    mark("float64", 1.0, 0.0), mark("float32", 1.6, 4e-3), mark("float32", 2.9, 4e-3, variant="compile"), mark("seeds", 1.5, 8.0),
    mark("all-bf16", 1.2, 145.0, backend="cueq"), mark("all-fp16", 1.3, math.inf),
]  # fmt: skip


@given(st.lists(st.tuples(st.floats(0.1, 10), st.floats(0, 10)), max_size=12))
def test_the_front_is_what_nothing_is_better_than_in_both(pairs: list[tuple[float, float]]) -> None:
    marks = [mark(str(i), speed, error) for i, (speed, error) in enumerate(pairs)]
    best = front(marks)
    for one in marks:
        beaten = any(o.error <= one.error and o.speedup >= one.speedup and (o.error, o.speedup) != (one.error, one.speedup) for o in marks)
        alike = [o for o in best if (o.error, o.speedup) == (one.error, one.speedup)]
        assert len(alike) == (not beaten)
    assert [m.error for m in best] == sorted(m.error for m in best) and [m.speedup for m in best] == sorted(m.speedup for m in best)


def test_what_is_not_finite_is_on_no_front() -> None:
    assert front([mark("a", 9.0, math.inf), mark("b", 9.0, math.nan), mark("c", 1.0, 1.0)]) == [mark("c", 1.0, 1.0)]


def test_every_policy_is_named_and_every_series_in_the_legend() -> None:
    with drawing():
        picture = pareto_picture(MARKS, "force", "float64 on e3nn", "a processor")
    assert picture is not None and picture.section == "speed" and picture.name == "pareto-force"
    shown = texts(picture)
    assert {"float64", "float32", "seeds", "all-bf16", "all-fp16", "e3nn", "e3nn +compile", "cueq", "0", "∞"} <= set(shown)
    assert shown.count("float32") == 2
    assert (
        picture.alt.startswith("6 marks. On the front")
        and "float32 on e3nn +compile: 2.9 times as fast" in picture.alt
        and "seeds" not in picture.alt
    )
    assert "10 meV/Å" in picture.caption and "those of a processor" in picture.caption
    ET.fromstring(standalone(picture))
    assert "#0f" not in picture.svg  # every colour is a variable of the page, for light and dark


def test_many_names_in_one_place_are_counted_where_they_have_no_room() -> None:
    crowd = [mark(f"a-policy-with-a-long-name-{i}", 1.5, 1.0) for i in range(60)]
    with drawing():
        picture = pareto_picture(crowd, "energy", "float64 on e3nn", "", "crowd")
    assert picture is not None and picture.name == "crowd"
    named = sum(t.startswith("a-policy") for t in texts(picture))
    assert 0 < named < 60 and f"{60 - named} names had no room" in picture.caption
    assert all(f"a-policy-with-a-long-name-{i}" in picture.svg for i in range(60))  # the pointer tells the others
    assert "noise of DFT labels" in picture.caption


def test_nothing_timed_gives_no_picture_and_one_policy_does() -> None:
    with drawing():
        assert pareto_picture([], "force", "float64", "") is None
        assert pareto_picture([mark("a", 0.0, 1.0)], "force", "float64", "") is None
        quantity: Quantity
        for quantity in ("force", "energy"):
            assert pareto_picture([mark("float64", 1.0, 0.0)], quantity, "float64", "") is not None


def test_equal_marks_give_equal_pictures() -> None:
    with drawing():
        assert pareto_picture(MARKS, "force", "x", "y") == pareto_picture(MARKS, "force", "x", "y")
