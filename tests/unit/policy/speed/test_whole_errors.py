"""Errors of a call in the units of users."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch

from mpcheck.policy.evaluation import Evaluation
from mpcheck.policy.speed.whole_errors import whole_errors

NONE = torch.full((2, 3, 3), torch.nan, dtype=torch.float64)


def exact(**other: Any) -> Evaluation:
    two = torch.tensor([-100.0, -50.0], dtype=torch.float64)
    forces = torch.ones(6, 3, dtype=torch.float64)
    return replace(Evaluation(two, two / 10, forces, NONE, torch.tensor([0, 0, 0, 0, 1, 1])), **other)


def test_energies_are_per_atom_and_forces_over_all_components() -> None:
    own = exact()
    energy, interaction = own.energy + torch.tensor([0.004, -0.002]), own.interaction + torch.tensor([0.008, 0.0])
    found = whole_errors({"energy": energy, "interaction_energy": interaction, "forces": own.forces + 0.01}, own)
    assert found.energy == pytest.approx(1.0) and found.interaction == pytest.approx(2.0 / math.sqrt(2))
    assert found.force == pytest.approx(10.0) and found.force_relative == pytest.approx(0.01)


def test_forces_that_symmetry_makes_zero_give_no_relative_error() -> None:
    own = exact(forces=1e-14 * torch.ones(6, 3, dtype=torch.float64))
    found = whole_errors({"energy": own.energy, "forces": own.forces + 1e-6}, own)
    assert found.force_relative is None and found.force == pytest.approx(1e-3) and found.interaction is None


def test_what_is_not_finite_stays_so() -> None:
    own = exact()
    found = whole_errors({"energy": own.energy * torch.nan, "forces": own.forces * torch.inf}, own)
    assert math.isnan(found.energy) and math.isinf(found.force)
