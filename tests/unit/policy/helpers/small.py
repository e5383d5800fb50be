"""A small model on a small box, ready for calls."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import torch
from ase import Atoms

from mpcheck.adapters.graph import make_graph
from mpcheck.policy.noise.calls import Calls
from mpcheck.policy.noise.sensitivity import Sensitivity, sensitivity
from tests.unit.checks.uses.small_models import built


def box(seed: int = 0) -> Atoms:
    """Four molecules of water in a periodic box, rattled."""
    rng = np.random.default_rng(seed)
    water = np.array([[0.0, 0.0, 0.0], [0.96, 0.0, 0.0], [-0.24, 0.93, 0.0]])
    places = np.array([[1.0, 1.0, 1.0], [4.0, 1.5, 3.5], [1.2, 4.0, 3.8], [3.9, 4.1, 1.1]])
    positions = np.concatenate([water + p for p in places]) + rng.normal(0, 0.05, (12, 3))
    return Atoms("OHH" * 4, positions, cell=np.diag([5.83, 6.07, 5.41]), pbc=True)


def graph_of(*frames: Atoms) -> dict[str, torch.Tensor]:
    """Of an H/O model with a cut-off of 4 Å."""
    return dict(make_graph(list(frames), ["H", "O"], 4.0, ["Default"], ()))


@functools.cache
def model(name: str = "ScaleShiftMACE", **other: Any) -> torch.nn.Module:
    """In float64, the same one in every test; its isolated atoms have energies that no format holds."""
    return built(name, **{"atomic_energies": np.array([-13.587, -2041.84]), **other})


def calls(name: str = "ScaleShiftMACE", seeds: tuple[int, ...] = (0,)) -> Calls:
    """Of that model on boxes."""
    return Calls(model(name), graph_of(*map(box, seeds)))


@functools.cache
def sensitivities(name: str = "ScaleShiftMACE") -> Sensitivity:
    """Of that model on one box, made once."""
    return sensitivity(calls(name))
