"""What moves the atoms is the model itself: of the head that a structure names, with the charge that it brings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from ase import Atoms

from mpcheck.adapters.graph import make_graph
from mpcheck.adapters.inputs import model_inputs
from mpcheck.dynamics.protocols.forces import forces_of, warmed
from mpcheck.policy import apply, get_policy
from mpcheck.policy.evaluation import evaluate
from mpcheck.systems.inputs import take_inputs
from tests.unit.checks.uses.small_models import built

POSITIONS = [[0.0, 0.0, 0.0], [0.9, 0.3, 0.1], [-0.5, 0.8, 0.2]]
CHARGED: dict[str, Any] = {"total_charge": {"type": "continuous", "per": "graph", "in_dim": 1, "emb_dim": 4}}


def moved(model: torch.nn.Module, frame: Atoms, policy: str = "float64") -> np.ndarray:
    atoms = frame.copy()
    atoms.calc = forces_of(apply(model, get_policy(policy)), torch.device("cpu"), frame)
    warmed(atoms)
    return np.asarray(atoms.get_forces())


def expected(model: torch.nn.Module, frame: Atoms, heads: list[str]) -> np.ndarray:
    return evaluate(model, make_graph([frame], ["H", "O"], 4.0, heads, model_inputs(model))).forces.numpy()


@pytest.mark.parametrize("head", ["one", "two"])
def test_the_head_of_the_structure_moves_it(head: str) -> None:
    model = built("ScaleShiftMACE", heads=("one", "two"))
    frame = Atoms("OHH", positions=POSITIONS)
    frame.info["head"] = head
    taken = take_inputs([frame], model_inputs(model), ["one", "two"], "system").frames[0]
    np.testing.assert_allclose(moved(model, taken), expected(model, taken, ["one", "two"]), atol=1e-12)


@pytest.mark.parametrize("charge", [0.0, 1.0, -2.0])
def test_the_charge_of_the_structure_reaches_the_model(charge: float) -> None:
    model = built("ScaleShiftMACE", embedding_specs=CHARGED, use_embedding_readout=False)
    frame = Atoms("OHH", positions=POSITIONS)
    frame.info["charge"] = charge
    taken = take_inputs([frame], model_inputs(model), ["Default"], "system").frames[0]
    found = moved(model, taken)
    np.testing.assert_allclose(found, expected(model, taken, ["Default"]), atol=1e-12)
    other = taken.copy()
    other.info["total_charge"] = charge + 1.0
    assert np.abs(found - moved(model, other)).max() > 1e-6


def test_float32_changes_bits() -> None:
    model, frame = built("ScaleShiftMACE"), Atoms("OHH", positions=POSITIONS)
    apart = np.abs(moved(model, frame) - moved(model, frame, "float32")).max()
    assert 0 < apart < 1e-3
