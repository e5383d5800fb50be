"""A retry may only soften drift, and only where the order of a sum is a race: whatever fails once has failed."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from mpcheck.bench.work.pinning import torch_threads
from mpcheck.checks.precision import CellKey
from mpcheck.records.record import Record
from mpcheck.sessions.precision.limits import judge_by_limits
from mpcheck.sessions.precision.replays import REPLAYS, races
from mpcheck.sessions.precision.suite import Suite
from mpcheck.sessions.run import Session
from tests.conftest import SYSTEM
from tests.faults import planted
from tests.unit.drifting import baseline_of, suite_of, with_quantities

KEY = CellKey(SYSTEM, "interactions.1.conv_tp_weights", "e3nn", "bfloat16", "forward")
RACING = CellKey(SYSTEM, "interactions.1", "e3nn", "float32", "backward")
RACED = "grad.energy.node_feats"
BY_LIMITS = "mpcheck.sessions.precision.suite.judge_by_limits"
Script = Callable[..., tuple[Record, int]]


def outcome(clean: Record, kind: str, quantity: str, number: int) -> Record:
    """A replay of a cell that passes, fails a limit, is degraded, or drifts in one quantity; no two have the same bits."""
    chosen = next(q for q in clean.quantities if q.name == quantity)
    assert chosen.rms is not None
    changed = chosen.model_copy(update={"digest": f"{number}", "rms": chosen.rms * (3 if kind == "drift" else 1)})
    others = [changed if q.name == quantity else q for q in clean.quantities]
    said = {"fail": {"verdict": "fail", "reason": "out: rms ratio 115 > 1.19"}, "degraded": {"verdict": "degraded", "reason": "another kernel"}}
    return with_quantities(clean, others, **said.get(kind, {}))


@pytest.fixture
def script(session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Script:
    """``script(key, kinds)``: what the suite makes of a cell whose replays come out as listed, and how many it asked for."""
    clean = {key: judge_by_limits(session, key) for key in (KEY, RACING)}
    suite = suite_of(session, baseline_of(session, clean.values()), tmp_path)
    without = Suite(session, tmp_path / "none")

    def call(key: CellKey, kinds: Sequence[str], baseline: bool = True) -> tuple[Record, int]:
        asked: list[int] = []

        def judge(*_: Any) -> Record:
            asked.append(len(asked))
            return outcome(clean[key], kinds[asked[-1]], "out" if key is KEY else RACED, asked[-1])

        with monkeypatch.context() as patched:
            patched.setattr(BY_LIMITS, judge)
            return (suite if baseline else without).judge(key), len(asked)

    return call


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("key", [KEY, RACING], ids=["one order", "a race"])
def test_green_is_what_passed_in_every_replay_or_raced_in_the_minority(key: CellKey, threads: int, script: Script) -> None:
    """Every sequence of outcomes there is. A race is one where there are threads to race."""
    racing = key is RACING and threads > 1
    for kinds in itertools.product(("same", "drift", "fail", "degraded"), repeat=1 + REPLAYS):
        with torch_threads(threads):
            cell, asked = script(key, kinds)
        green = kinds[0] == "same" or (racing and set(kinds) <= {"same", "drift"} and 2 * kinds.count("drift") < len(kinds))
        assert (cell.verdict == "pass") == green, kinds
        assert asked == (1 if kinds[0] == "same" else 1 + REPLAYS)
        if green and kinds[0] == "drift":
            assert cell.drift == "pass" and f"drifted in {kinds.count('drift')} of {len(kinds)} replays" in cell.note


@pytest.mark.parametrize("baseline", [True, False])
def test_a_limit_that_failed_once_has_failed(script: Script, baseline: bool) -> None:
    cell, _ = script(KEY, ["fail", "same", "same", "fail", "same"], baseline)
    assert cell.verdict == "fail"
    assert "115 > 1.19" in cell.reason and "intermittent: fail in 2 of 5 replays" in cell.reason


def test_drift_of_one_replay_is_red_where_nothing_races(script: Script) -> None:
    cell, _ = script(KEY, ["drift", *["same"] * REPLAYS])
    assert (cell.verdict, cell.drift) == ("fail", "fail")
    assert "intermittent: drifted in 1 of 5 replays" in cell.reason


def test_a_replay_that_fails_a_limit_is_told_with_its_own_reason(script: Script) -> None:
    with torch_threads(2):
        cell, _ = script(RACING, ["drift", "same", "fail", "same", "same"])
    assert cell.verdict == "fail" and "115 > 1.19" in cell.reason and "1 of 5" in cell.reason


def test_a_first_call_that_is_wrong_is_red_whatever_comes_after(session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault beyond the limit, planted in the first call only: the repaired replays do not wash it out."""
    key, calls, original = CellKey(SYSTEM, "interactions.1.scatter", "e3nn", "bfloat16", "forward"), list[CellKey](), judge_by_limits
    suite = suite_of(session, baseline_of(session, [original(session, key)]), tmp_path)

    def judge(session: Session, asked: CellKey) -> Record:
        calls.append(asked)
        if len(calls) > 1:
            return original(session, asked)
        with planted.sequential_scatter(torch.bfloat16):
            return original(session, asked)

    monkeypatch.setattr(BY_LIMITS, judge)
    cell = suite.judge(key)
    assert cell.verdict == "fail" and "intermittent: fail in 1 of 5 replays" in cell.reason


def test_a_constant_failure_is_asked_once_more_only(session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key, calls, original = CellKey(SYSTEM, "interactions.1.scatter", "e3nn", "bfloat16", "forward"), list[CellKey](), judge_by_limits
    monkeypatch.setattr(BY_LIMITS, lambda session, asked: calls.append(asked) or original(session, asked))
    with planted.sequential_scatter(torch.bfloat16):
        cell = Suite(session, tmp_path).judge(key)
    assert cell.verdict == "fail" and "intermittent" not in cell.reason and len(calls) == 2


def test_what_may_race() -> None:
    backward = [CellKey(SYSTEM, "interactions.1", "e3nn", fmt, "backward") for fmt in ("float64", "float32", "tf32", "bfloat16")]
    with torch_threads(2):
        assert [races(key, {"gather"}, "cpu") for key in backward] == [False, True, True, False]
        assert not races(backward[1], {"scatter", "inner"}, "cpu")
    with torch_threads(1):
        assert not any(races(key, {"gather"}, "cpu") for key in backward)
    assert races(backward[3], {"scatter"}, "cuda")
    assert not races(backward[1], {"inner"}, "cuda")


@pytest.mark.slow  # threads that wait for each other on a busy machine
@pytest.mark.parametrize("fmt", ["float64", "float32", "bfloat16"])
def test_what_races_is_what_differs_from_call_to_call(fmt: str, session: Session) -> None:
    """The rule against this machine's torch: no quantity that may not race has other bits in another replay."""
    noise = session.library(SYSTEM).get(RACING.block).noise
    key = CellKey(SYSTEM, RACING.block, "e3nn", fmt, "backward")
    with torch_threads(2):
        every = [judge_by_limits(session, key) for _ in range(3)]
        differ = {q.name for c in every for q, first in zip(c.quantities, every[0].quantities, strict=True) if q.digest != first.digest}
        assert all(races(key, noise[name], "cpu") for name in differ), differ
