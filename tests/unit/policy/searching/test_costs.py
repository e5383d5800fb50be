"""Seconds that a family of blocks saves in a format, from whole models timed in turn."""

from __future__ import annotations

from pathlib import Path

import pytest

from mpcheck._unsupported import no_device
from mpcheck.policy.families import Family
from mpcheck.policy.rules import get_policy
from mpcheck.policy.searching import costs
from mpcheck.policy.searching.costs import measured_costs
from mpcheck.policy.speed.candidates import Candidate
from mpcheck.policy.speed.timing import Timings, Workload
from mpcheck.sessions.options import Options

WORKLOAD = Workload(Options(model="builtin:hco"), "builtin:water")
FAMILIES = [Family("slow", ("a.0",)), Family("fast", ("b.0", "b.1"))]


def timed(seconds: dict[str, float], noise: float, refused: str | None = None) -> object:
    """A stand-in for the launches: a call's seconds by the path that a policy lowers, ``""`` for the base; one of them refused."""

    def measured(workload: Workload, candidates: list[Candidate], *_: object, **__: object) -> Timings:
        found = Timings(launches=1)
        for candidate in candidates:
            rules = get_policy(candidate.policy).rules
            path = rules[0].blocks[0] if rules else ""
            if path == refused:
                found.unsupported[candidate.id] = no_device()
            else:
                found.seconds[candidate.id] = [[seconds[path] * (1 + noise * (-1) ** i) for i in range(10)]]
        return found

    return measured


def test_a_family_saves_what_the_whole_model_is_faster_by_and_nothing_where_nobody_can_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(costs, "measured", timed({"": 10.0, "a.0": 10.0, "b.0": 8.0}, noise=0.0))
    found = measured_costs(WORKLOAD, FAMILIES, ["float32", "float16"])
    assert found is not None and found.base == "float32" and found.seconds == pytest.approx(10.0)
    assert found.saved == {"slow": {"float16": 0.0}, "fast": {"float16": pytest.approx(2.0)}}


def test_what_cannot_run_is_missing_and_without_its_base_there_is_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(costs, "measured", timed({"": 10.0, "b.0": 8.0}, noise=0.0, refused="a.0"))
    found = measured_costs(WORKLOAD, FAMILIES, ["float16"])
    assert found is not None and set(found.saved) == {"fast"}
    monkeypatch.setattr(costs, "measured", timed({"a.0": 10.0, "b.0": 8.0}, noise=0.0, refused=""))
    assert measured_costs(WORKLOAD, FAMILIES, ["float16"]) is None


def test_policies_are_written_where_their_launch_can_read_them_and_are_gone_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Path] = []

    def measured(workload: Workload, candidates: list[Candidate], *_: object, **__: object) -> Timings:
        seen.extend(Path(c.policy) for c in candidates)
        assert all(path.is_file() for path in seen)
        return Timings()

    monkeypatch.setattr(costs, "measured", measured)
    assert measured_costs(WORKLOAD, FAMILIES, ["float16", "bfloat16"]) is None
    assert len(seen) == 5 and not any(path.exists() for path in seen)
