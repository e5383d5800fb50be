"""The drift, golden and capability gates: green on sound values, red on changed ones, honest where they cannot tell."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from mpcheck.checks.golden import compare_golden, measure, measure_noise
from mpcheck.checks.precision import CellKey
from mpcheck.history.compare import Comparison, compare
from mpcheck.history.ratios import changes, read_baseline, write_baseline
from mpcheck.judge.capabilities import asked
from mpcheck.judge.tolerances import limits_for, load_tolerances, unused
from mpcheck.records.document import Records
from mpcheck.records.read import Results
from mpcheck.records.record import Record
from mpcheck.sessions.finish import Accounts, assembled
from mpcheck.sessions.precision.drift import drifted
from mpcheck.sessions.precision.limits import judge_by_limits
from mpcheck.sessions.run import Session
from tests.conftest import SYSTEM
from tests.faults import planted
from tests.unit.accounts import accounted, plan
from tests.unit.drifting import baseline_of

KEY = CellKey(SYSTEM, "interactions.1.conv_tp_weights", "e3nn", "bfloat16", "forward")


def made(session: Session, cells: list[Record]) -> Records:
    return assembled(Accounts("precision", plan(cells)["plan"], "complete"), session, accounted(cells), 1.0)


def test_loosening_a_baseline_is_named(session: Session) -> None:
    old = baseline_of(session, [judge_by_limits(session, KEY)])
    entry = old.cells[next(iter(old.cells))]["out"]
    worse = old.model_copy(update={"cells": {next(iter(old.cells)): {"out": [2 * entry[0], *entry[1:]]}}})
    limits = load_tolerances().drift
    assert changes(old, worse, limits)[1]
    assert not changes(worse, old, limits)[1]
    assert changes(old, old, limits) == ([], [])
    assert drifted(judge_by_limits(session, KEY), old.cells[next(iter(old.cells))], load_tolerances()) == []


def test_baseline_reads_back(session: Session, tmp_path: Path) -> None:
    baseline = baseline_of(session, [judge_by_limits(session, KEY)])
    write_baseline(tmp_path / "b.json", baseline)
    assert read_baseline(tmp_path / "b.json") == baseline


@pytest.fixture(scope="module")
def golden_parts(session: Session) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    graph, model = session.graph(SYSTEM), session.reference_backend.model
    values = measure(model, graph)
    return values, measure_noise(model, graph, values, 0)


@pytest.mark.slow
def test_golden_sees_a_relative_change_of_1e_12(session: Session, golden_parts: tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]) -> None:
    from mpcheck.checks.golden import Golden

    values, noise = golden_parts
    golden = Golden(session.systems[SYSTEM].frames, values, noise, {})
    limits = limits_for(session.tolerances, "golden", "e3nn", "float64", "forward")
    assert not [row for row in compare_golden(golden, measure(session.reference_backend.model, session.graph(SYSTEM)), limits) if row.red]
    weight = session.reference_backend.model.interactions[0].linear.weight
    saved = weight.data
    try:
        weight.data = saved * (1 + 1e-12)
        changed = compare_golden(golden, measure(session.reference_backend.model, session.graph(SYSTEM)), limits)
    finally:
        weight.data = saved
    failed = {row.tensor for row in changed if row.red}
    assert "interactions.0.linear:out" in failed
    assert "interactions.0.conv_tp:out" not in failed


def test_required_kernels_and_devices_fail(session: Session) -> None:
    strict = object.__new__(Session)
    strict.__dict__.update(session.__dict__)
    strict.options = dataclasses.replace(session.options, require=("cueq-kernels", "cuda"))
    cell = judge_by_limits(session, CellKey(SYSTEM, "products.0.linear", "cueq", "float32", "forward"))
    assert cell.verdict == "pass" and cell.lacking == "cueq-kernels"
    assert asked(strict, cell, cell.subject).verdict == "fail"
    missing = cell.model_copy(update={"verdict": "unsupported", "reason": "gone", "lacking": "cuda"})
    assert asked(strict, missing, cell.subject).verdict == "fail"
    assert asked(session, missing, cell.subject).verdict == "unsupported"


def test_exceptions_are_used_and_carry_reasons(session: Session) -> None:
    tolerances = load_tolerances()
    names = [b.name for b in session.check(SYSTEM).library.blocks()]
    assert unused(tolerances, names, ["e3nn", "cueq"]) == []
    assert all(len(e.reason) > 60 for e in tolerances.exceptions)


def compared(before: Records, after: Records) -> Comparison:
    return compare(Results({"precision": before}, [Path("before.json")]), Results({"precision": after}, [Path("after.json")]))


def test_compare_tells_identical_from_moved(session: Session, judge: Callable[..., Record]) -> None:
    cells = [judge("spherical_harmonics", "bfloat16"), judge("interactions.1.linear", "bfloat16")]
    before = made(session, cells)
    assert (compared(before, before).changes, compared(before, before).identical) == ([], 2)
    with planted.truncating(session.reference_backend.model.spherical_harmonics):
        moved = [judge("spherical_harmonics", "bfloat16"), cells[1]]
    found = compared(before, made(session, moved))
    assert [(c.kind, c.item) for c in found.changes] == [("new-failure", f"precision/precision:{SYSTEM}/spherical_harmonics-e3nn-bfloat16-forward")]
    assert (found.failed, found.identical) == (True, 1)
    gone = compared(before, made(session, moved[:1]))
    assert "gone" in {c.kind for c in gone.changes}
