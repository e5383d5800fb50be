"""What runs next: by value, within the time, timed parts alone."""

from __future__ import annotations

import itertools

import pytest

from mpcheck.survey.part import Cost, Part, Scale
from mpcheck.survey.plan import Busy, next_parts, simulated

CUDA = Scale("cuda")


def part(name: str, seconds: float, timed: bool = False, cores: int = 1) -> Part:
    return Part(name, "s", name, 1, {"cuda": Cost(seconds)}, ("x",), timed=timed, cores=cores)


def names(parts: list[Part]) -> list[str]:
    return [one.name for one in parts]


def test_untimed_parts_share_the_cores_and_a_wide_one_runs_where_nothing_else_does() -> None:
    waiting = [part("a", 5, cores=2), part("b", 5), part("c", 5, cores=8)]
    assert names(next_parts(waiting, [], 100, 4, CUDA)) == ["a", "b"]
    assert names(next_parts([part("c", 5, cores=8)], [], 100, 4, CUDA)) == ["c"]
    assert not next_parts([part("c", 5, cores=8)], [Busy(part("a", 5), 3)], 100, 4, CUDA)


def test_what_does_not_fit_is_passed_over_for_what_does() -> None:
    assert names(next_parts([part("long", 50), part("short", 5)], [], 20, 1, CUDA)) == ["short"]
    assert not next_parts([part("long", 50)], [], 20, 1, CUDA)


def test_a_timed_part_waits_for_the_others_and_only_shorter_ones_go_before_it() -> None:
    waiting = [part("t", 5, timed=True), part("short", 3), part("long", 9)]
    assert names(next_parts(waiting, [], 100, 4, CUDA)) == ["t"]
    assert names(next_parts(waiting, [Busy(part("a", 9), 4.0)], 100, 4, CUDA)) == ["short"]
    assert not next_parts(waiting, [Busy(part("t2", 5, timed=True), 4.0)], 100, 4, CUDA)


@pytest.mark.parametrize("cores", [1, 2, 8])
@pytest.mark.parametrize("seconds", [10, 37, 60, 500])
def test_a_plan_keeps_its_rules(cores: int, seconds: float) -> None:
    timed = (3, 6, 7)
    every = [part(f"p{i}", 3 + 7 * i % 11, timed=i in timed, cores=1 + i % 3) for i in range(10)]
    slots = simulated(every, seconds, cores, CUDA)
    assert [slot.part for slot in slots] == every
    ran = [slot for slot in slots if slot.begin is not None and slot.end is not None]
    assert all(slot.end <= seconds for slot in ran if slot.end is not None)
    for a, b in itertools.combinations(ran, 2):
        together = a.begin < b.end and b.begin < a.end  # type: ignore[operator]
        assert not (together and (a.part.timed or b.part.timed))
    if seconds == 500:
        assert len(ran) == len(every)
    assert ran or seconds < 3
