"""Drift: what leaves a stored ratio, what sound code may do besides, and which zeros are no baseline."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from mpcheck.checks.precision import CellKey
from mpcheck.formats import get_format
from mpcheck.history.ratios import Baseline, baseline_path, changes, read_baseline, write_baseline
from mpcheck.judge.replay import DIRECTIONS
from mpcheck.records.environment import device_slug
from mpcheck.reference.prints import VALUE
from mpcheck.sessions.precision.drift import SOUND, drifted, own_zeros
from mpcheck.sessions.precision.limits import judge_by_limits
from mpcheck.sessions.precision.suite import Suite
from mpcheck.sessions.run import Session
from tests.conftest import SYSTEM
from tests.faults import planted
from tests.faults.rewritings import REWRITINGS, Rewriting
from tests.faults.twins.acting import Acts
from tests.stability.variations import one_by_one, products
from tests.unit.drifting import baseline_of, suite_of, with_quantities

EXACT = ("float64", "float32", "bfloat16", "float16")


EVERYWHERE = Rewriting(lambda session, acts: contextlib.nullcontext(), ("*",))


def cells_of(session: Session, rewriting: Rewriting, formats: tuple[str, ...]) -> Iterator[CellKey]:
    """Keys of the blocks in which a rewriting acts, and of the composites around them."""
    names = [*rewriting.leaves(session, SYSTEM), *rewriting.around(session, SYSTEM)]
    return (CellKey(SYSTEM, name, "e3nn", fmt, d) for name in names for fmt in formats for d in DIRECTIONS)


@pytest.fixture(scope="module")
def suite(session: Session, tmp_path_factory: pytest.TempPathFactory) -> Suite:
    """All of e3nn's float64 cells, stored as they are where the code is its own reference."""
    cells = [judge_by_limits(session, key) for key in cells_of(session, EVERYWHERE, ("float64",))]
    return suite_of(session, baseline_of(session, [c for c in cells if c.quantities]), tmp_path_factory.mktemp("baselines"))


@pytest.mark.parametrize("rewriting", REWRITINGS.values(), ids=REWRITINGS)
def test_a_benign_rewriting_is_no_drift_from_the_zeros_of_its_predecessor(rewriting: Rewriting, suite: Suite, session: Session) -> None:
    """In float64 the stored zero says that code equals itself. Judged by it any other sound rounding would be red, as half of these were."""
    acts, beyond = Acts(), 0
    with rewriting.plant(session, acts):
        for key in cells_of(session, rewriting, ("float64",)):
            cell = suite.judge(key)
            assert cell.verdict in ("pass", "unsupported"), f"{cell.id}: {cell.reason}"
            beyond += any((q.rms or 0.0) > 0.05 for q in cell.quantities)
    assert acts.calls
    assert beyond or rewriting is REWRITINGS["sum of products for matmul"], "it changes nothing that a zero would have called drift"


def test_an_error_beyond_sound_code_drifts_from_an_own_zero(suite: Suite, session: Session) -> None:
    key = CellKey(SYSTEM, "interactions.1.linear", "e3nn", "float64", "forward")
    cell = judge_by_limits(session, key)
    entry = suite.baseline.cells[cell.id] if suite.baseline else {}
    reference = session.library(SYSTEM).get(key.block)
    own = own_zeros(key, reference, session.reference_backend.roundoff(reference.block, get_format("float64")), "e3nn", entry)

    def with_ratio(rms: float) -> list[str]:
        changed = with_quantities(cell, [q.model_copy(update={"rms": rms}) for q in cell.quantities])
        return [d.text for d in drifted(changed, entry, session.tolerances, own)]

    assert not with_ratio(0.7) and not with_ratio(SOUND)
    assert with_ratio(1.5) and with_ratio(1.3)


def test_zeros_of_exact_operations_stay_baselines(suite: Suite, session: Session) -> None:
    """A copy has no rounding by any code: an occasional last bit is drift, though it is far below the limit."""
    module = session.reference_backend.model.interactions[0].reshape
    key = CellKey(SYSTEM, "interactions.0.reshape", "e3nn", "float64", "forward")
    original = module.forward

    def one_in_fifty_off(*args: Any, **kwargs: Any) -> torch.Tensor:
        out = original(*args, **kwargs).clone()
        flat = out.view(-1)
        flat[::50] = torch.nextafter(flat[::50], torch.full_like(flat[::50], 9e9))
        return out

    assert suite.judge(key).verdict == "pass"
    with planted.replaced_attribute(module, "forward", one_in_fifty_off):
        assert judge_by_limits(session, key).verdict == "pass"
        cell = suite.judge(key)
    assert (cell.verdict, cell.drift) == ("fail", "fail")


@pytest.mark.parametrize("fmt", EXACT[1:])
def test_only_float64_is_its_own_reference(fmt: str, session: Session) -> None:
    reference, key = session.library(SYSTEM).get("interactions.1.linear"), CellKey(SYSTEM, "interactions.1.linear", "e3nn", fmt, "forward")
    stored = {"out": (0.0, 0.0, 0.0, 0.0)}
    assert not own_zeros(key, reference, session.reference_backend.roundoff(reference.block, get_format(fmt)), "e3nn", stored)


def test_another_backend_is_its_own_reference_where_it_has_nothing_of_its_own(session: Session) -> None:
    """cuEquivariance's model has e3nn's spherical harmonics: its stored zero was none where TorchScript had not run them before (0 -> 0.22)."""
    library = session.library(SYSTEM)
    for block, stored, expected in (
        ("spherical_harmonics", {"grad.energy.x": (0.0, 0.0, 0.0, 0.0), "out": (0.2, 0.0, 0.0, 0.0)}, {"grad.energy.x"}),
        ("interactions.1.linear", {"out": (0.57, 0.0, 0.0, 0.0)}, set()),
        ("interactions.0.reshape", {"out": (0.0, 0.0, 0.0, 0.0)}, set()),
    ):
        reference = library.get(block)
        roundoff = session.reference_backend.roundoff(reference.block, get_format("float64"))
        assert own_zeros(CellKey(SYSTEM, block, "cueq", "float64", "backward"), reference, roundoff, "e3nn", stored) == expected, block


def test_a_sum_kept_in_another_way_is_seen_by_drift_alone(session: Session, tmp_path: Path) -> None:
    """Term after term instead of in blocks: within every limit, three times the stored ratio."""
    key = CellKey(SYSTEM, "interactions.1.conv_tp_weights", "e3nn", "float32", "backward")
    suite = suite_of(session, baseline_of(session, [judge_by_limits(session, key)]), tmp_path)
    assert suite.judge(key).verdict == "pass"
    with products(one_by_one):
        assert judge_by_limits(session, key).verdict == "pass"
        cell = suite.judge(key)
    assert (cell.verdict, cell.drift) == ("fail", "fail") and "rms ratio drifted" in cell.reason


def test_a_quantity_that_is_gone_has_drifted_and_a_new_one_is_said(session: Session, tmp_path: Path) -> None:
    key = CellKey(SYSTEM, "interactions.1.linear", "e3nn", "bfloat16", "backward")
    baseline = baseline_of(session, [judge_by_limits(session, key)])
    (place, entries), first = next(iter(baseline.cells.items())), "grad.random.features"
    more = baseline.model_copy(update={"cells": {place: {**entries, "grad.random.charges": entries[first]}}})
    less = baseline.model_copy(update={"cells": {place: {n: e for n, e in entries.items() if n != first}}})
    gone, new = suite_of(session, more, tmp_path / "more").judge(key), suite_of(session, less, tmp_path / "less").judge(key)
    assert gone.drift == "fail" and "grad.random.charges: is gone" in gone.reason
    assert new.drift == "pass" and f"no stored ratio of {first}" in new.note


def test_a_baseline_without_prints_still_reads(session: Session, tmp_path: Path) -> None:
    """As recorded before there were any."""
    key = CellKey(SYSTEM, "interactions.1.linear", "e3nn", "bfloat16", "forward")
    baseline = baseline_of(session, [judge_by_limits(session, key)])
    path = baseline_path(tmp_path, device_slug("cpu"))
    write_baseline(path, baseline)
    path.write_text(path.read_text().replace(' "references": {\n\n },\n', ""))
    assert "references" not in path.read_text() and read_baseline(path) == baseline
    assert Suite(session, tmp_path).judge(key).drift == "pass"


def test_another_float64_value_loosens_a_baseline(session: Session) -> None:
    def of(value: float) -> Baseline:
        return baseline_of(session, [], {f"{SYSTEM}/readouts.0": {f"{VALUE}out": [33.0, 1.0, value, 0.5]}})

    assert changes(of(0.1), of(0.1 + 1e-14), session.tolerances.drift) == ([], [])
    (line,) = changes(of(0.1), of(0.1 + 1e-9), session.tolerances.drift)[1]
    assert "readouts.0: the float64 reference computes another out" in line
