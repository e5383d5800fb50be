"""How far features and energies move."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from ase import Atoms

from mpcheck.checks.symmetry.shifts import AMPLITUDE, BATCH_ATOMS, Evaluated, batches, evaluate, perturbed, shift
from mpcheck.sessions.run import Session
from tests.conftest import SYSTEM


def evaluated(factor: float = 1.0) -> Evaluated:
    features = torch.randn(6, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    return Evaluated(factor * features, torch.tensor([1.0, 2.0], dtype=torch.float64) * factor)


def test_figures_of_a_change() -> None:
    same, larger = shift(evaluated(), evaluated()), shift(evaluated(1.5), evaluated())
    assert (same.relative_l2, same.largest, same.energy) == (0.0, 0.0, 0.0)
    assert larger.relative_l2 == pytest.approx(0.5) and larger.correlation == pytest.approx(1.0) and larger.energy == pytest.approx(1.0)
    assert "relative L2 0.5" in larger.text


def test_no_number_is_no_figure() -> None:
    change = shift(evaluated(math.nan), evaluated())
    assert set(change.metrics.values()) == {None}


def test_structures_are_perturbed_alike_and_by_the_amplitude() -> None:
    frame = Atoms("H50", np.zeros((50, 3)))
    copies = perturbed(frame, 20, seed=4)
    places = np.stack([c.positions for c in copies])
    assert len(copies) == 20 and places.std() == pytest.approx(AMPLITUDE, rel=0.05) and not frame.positions.any()
    assert np.array_equal(places, np.stack([c.positions for c in perturbed(frame, 20, seed=4)]))


def test_batches_hold_every_structure_and_evaluate_as_one(session: Session) -> None:
    frames = perturbed(session.systems[SYSTEM].frames[0], 11, seed=1)
    graphs = batches(session.model, frames, torch.device("cpu"))
    assert len(graphs) > 1 and all(len(g["positions"]) <= BATCH_ATOMS for g in graphs)
    together = evaluate(session.reference_backend.model, graphs)
    alone = evaluate(session.reference_backend.model, batches(session.model, frames[-1:], torch.device("cpu")))
    assert together.energies.shape == (11,) and float(together.energies[-1] - alone.energies[0]) == pytest.approx(0, abs=1e-12)
