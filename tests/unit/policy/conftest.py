"""A small model of two elements on both backends, and two structures."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from ase import Atoms

from mpcheck._unsupported import Unsupported
from mpcheck.adapters.backends.protocol import BackendModel, built, get_backend
from mpcheck.adapters.graph import make_graph
from mpcheck.policy.evaluation import Tensors
from tests.unit.checks.uses.small_models import built as small


@pytest.fixture(scope="session")
def model() -> torch.nn.Module:
    """Upstream's, in float64."""
    return small("ScaleShiftMACE")


@pytest.fixture(scope="session")
def cueq(model: torch.nn.Module) -> BackendModel:
    """Its twin by cuEquivariance."""
    twin = built(get_backend("cueq"), model, torch.device("cpu"))
    assert not isinstance(twin, Unsupported)
    return twin


@pytest.fixture(scope="session")
def frames() -> list[Atoms]:
    """A crystal without symmetry, and a molecule."""
    positions = np.random.default_rng(3).uniform(0.0, 5.0, (6, 3))
    crystal = Atoms("H2OHOH", positions=positions, cell=[[5.0, 0.2, 0.0], [0.0, 5.3, 0.1], [0.3, 0.0, 5.1]], pbc=True)
    return [crystal, Atoms("OHH", positions=[[0.0, 0.0, 0.0], [0.9, 0.3, 0.1], [-0.5, 0.8, 0.2]])]


@pytest.fixture(scope="session")
def graph(frames: list[Atoms]) -> Tensors:
    """Both in one batch."""
    return make_graph(frames, ["H", "O"], 4.0)
