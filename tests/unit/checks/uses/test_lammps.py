"""Faults of the export to LAMMPS: a tensor of another type, a head between the first and the last."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mpcheck.sessions.run import Session
from tests.faults.patches.planting import exchanged
from tests.unit.checks.uses.planted import Planted, command, compiling
from tests.unit.checks.uses.small_models import built, judged, red, session_of

BUFFERS = ["r_max", "model.r_max", "model.atomic_energies_fn.atomic_energies", "model.scale_shift.scale"]


def left_in(dtype: torch.dtype, name: str, only: torch.dtype) -> Planted:
    """One buffer of the module that is compiled is of another type; where the module is in ``only``."""

    def change(made: Callable[[], Any], module: torch.nn.Module) -> Any:
        if next(module.parameters()).dtype == only:
            owner, _, last = name.rpartition(".")
            place = module.get_submodule(owner) if owner else module
            setattr(place, last, getattr(place, last).to(dtype))
        return made()

    return compiling(change)


@pytest.mark.parametrize("name", BUFFERS)
def test_one_buffer_left_in_float64(run: Session, name: str) -> None:
    with left_in(torch.float64, name, torch.float32):
        found = red(judged(run, "doors", "lammps-export"))
    assert set(found) == {"float32"} and "float64" in found["float32"], found


@pytest.mark.parametrize("name", BUFFERS[::2])
def test_one_buffer_left_in_float32(run: Session, name: str) -> None:
    """Numbers that float32 holds: nothing else shows it."""
    with left_in(torch.float32, name, torch.float64):
        found = red(judged(run, "doors", "lammps-export"))
    assert set(found) == {"float64"} and "float32" in found["float64"], found


def test_heads_between(tmp_path: Path) -> None:
    names = ("first", "second", "third")
    numbers = {"atomic_energies": np.array([[-1.0, -2.0], [-3.0, -5.0], [-4.0, -7.0]]), "atomic_inter_scale": np.array([1.0, 1.3, 0.8])}
    run = session_of(built("ScaleShiftMACE", names, **numbers, atomic_inter_shift=np.array([0.1, -0.2, 0.3])), tmp_path)
    found = judged(run, "doors", "lammps-export")
    assert red(found) == {} and "head second, not compiled" in found

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def init(self: Any, model: Any, **kwargs: Any) -> None:
            original(self, model, head={"second": "third"}.get(kwargs["head"], kwargs["head"]))

        return init

    with exchanged(command.LAMMPS_MACE, "__init__", make):
        assert set(red(judged(run, "doors", "lammps-export"))) == {"head second, not compiled"}
