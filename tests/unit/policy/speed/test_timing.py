"""Whole models timed in processes of their own."""

from __future__ import annotations

import math
from typing import Any, cast

import pytest

from mpcheck._errors import InputError
from mpcheck._unsupported import Unsupported
from mpcheck.bench.launch.processes import LaunchProcess
from mpcheck.bench.work.workload import UnsupportedError
from mpcheck.policy.speed.candidates import parse_candidate
from mpcheck.policy.speed.rounds import RoundPlan
from mpcheck.policy.speed.timing import Timings, Workload, measured, one_launch
from mpcheck.sessions.options import Options

WATER = Workload(Options(model="builtin:hco", backends=("e3nn",)), "builtin:water")


def test_a_launch_builds_candidates_from_words_and_times_them_in_the_same_rounds() -> None:
    candidates = [parse_candidate(t) for t in ("float64", "float32", "float32+cudagraph", "autocast-bf16")]
    found = measured(WATER, candidates, launches=1, plan=RoundPlan(seconds=0.5, warmup=1))
    assert set(found.seconds) == {"float64 e3nn", "float32 e3nn"} and found.launches == 1
    assert {n: w.code for n, w in found.unsupported.items()} == {"float32 e3nn +cudagraph": "no-device", "autocast-bf16 e3nn": "not-applicable"}
    (rounds,) = found.seconds["float64 e3nn"]
    assert len(rounds) == len(found.seconds["float32 e3nn"][0]) >= 5
    gained = found.speedup("float32 e3nn", "float64 e3nn")
    assert gained is not None and gained.low <= gained.ratio <= gained.high and gained.launches == 1
    # sizes are no times: half the bits are half the memory
    assert 0.45 < found.peak["float32 e3nn"] / found.peak["float64 e3nn"] < 0.55
    assert 0.45 < found.stored["float32 e3nn"] / found.stored["float64 e3nn"] < 0.55
    assert found.atoms > 0 and found.edges > found.atoms and found.environment["device"] == "cpu"


def test_figures_are_of_all_launches() -> None:
    found = Timings(seconds={"a": [[0.002, 0.002], [0.008, 0.008]], "b": [[0.001, 0.001], [0.004, 0.004]]})
    assert math.isclose(found.milliseconds("a"), 4.0)
    gained = found.speedup("b", "a")
    assert gained is not None and math.isclose(gained.ratio, 2.0) and gained.launches == 2
    assert found.speedup("b", "missing") is None


@pytest.mark.parametrize(("candidates", "launches"), [([], 1), (["float32"], 0)])
def test_nothing_to_do_is_refused(candidates: list[str], launches: int) -> None:
    with pytest.raises(InputError, match="cannot be timed"):
        measured(WATER, [parse_candidate(c) for c in candidates], launches=launches)


def test_an_unknown_policy_ends_with_its_line() -> None:
    with pytest.raises(InputError, match="unknown policy 'float31'"):
        measured(WATER, [parse_candidate("float31")], launches=1)


class Launch:
    """A launch in which one candidate fails in its second call, and one in the count of its memory."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def ask(self, command: str, **given: Any) -> dict[str, Any]:
        why = Unsupported("raised", "raised: MemoryError")
        if command == "build":
            return {"seconds": 1.0}
        if command == "measure":
            self.asked.append(list(given["keys"]))
            failed = "seeds e3nn" if "seeds e3nn" in given["keys"] else ""
            return {"failed": failed, "why": why.fields(), "seconds": {k: [1.0, 1.0] for k in given["keys"]}, "waiting": 0.5}
        if given["key"] == "tf32 e3nn" and command == "memory":
            raise UnsupportedError(why)
        return {"peak": 1, "stored": 1} if command == "memory" else {"energy": 0.0, "interaction": None, "force": 0.0, "force_relative": None}


def test_a_candidate_that_fails_while_it_is_timed_costs_the_others_nothing() -> None:
    process, found = Launch(), Timings()
    wanted = {f"{n} e3nn": parse_candidate(n) for n in ("float32", "seeds", "tf32")}
    one_launch(cast("LaunchProcess", process), wanted, RoundPlan(), found, lambda _: None)
    assert process.asked == [["float32 e3nn", "seeds e3nn", "tf32 e3nn"], ["float32 e3nn", "tf32 e3nn"]]
    assert set(found.unsupported) == {"seeds e3nn", "tf32 e3nn"} and set(found.peak) == {"float32 e3nn"}
    assert found.launches == found.crowded == 1
