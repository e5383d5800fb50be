"""A whole model on a structure that was turned, shifted, put in another order, or batched."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from ase import Atoms

from mpcheck.policy.evaluation import evaluate
from mpcheck.policy.judging.batches import graph_of
from mpcheck.policy.judging.equivariance import EquivarianceError, equivariance
from tests.unit.policy.judged_samples import Faulty, drop, small, water


def of(model: torch.nn.Module, frame: Atoms) -> dict[str, EquivarianceError]:
    """By kind of change."""
    graph, periodic = graph_of([frame], small())
    before = evaluate(model, graph, "cpu", periodic)
    return {e.kind: e for e in equivariance(model, small(), frame, before, water()[0])}


def slab() -> Atoms:
    """Water, periodic in two directions."""
    made = water()[0].copy()
    made.pbc = (True, True, False)
    return made


@pytest.mark.parametrize("frame", [water()[0], drop(), slab()], ids=["periodic", "molecule", "slab"])
def test_a_sound_model_is_equivariant(frame: Atoms) -> None:
    """To float64's last digits, and to float32's in float32; stress only where there is one."""
    for dtype, limit in ((torch.float64, 1e-9), (torch.float32, 1.0)):
        found = of(copy.deepcopy(small().module).to(dtype), frame)
        assert set(found) == {"rotation", "permutation", "translation", "batch"}
        assert all((e.force_meV_per_A or 0.0) < limit and (e.energy_meV_per_atom or 0.0) < limit for e in found.values())
        assert all((e.stress_meV_per_A3 is None) == (not frame.pbc.all()) for e in found.values())
    assert (found["rotation"].force_meV_per_A or 0.0) > 0.0


Change = Callable[[dict[str, Any], dict[str, torch.Tensor]], None]


def along_x(out: dict[str, Any], graph: dict[str, torch.Tensor]) -> None:
    """A force that does not turn."""
    out["forces"] = out["forces"] + 0.01 * torch.eye(3, dtype=torch.float64)[0]


def first_atom(out: dict[str, Any], graph: dict[str, torch.Tensor]) -> None:
    """A force on whoever is first."""
    out["forces"] = out["forces"].clone()
    out["forces"][0] = 0.0


def far(out: dict[str, Any], graph: dict[str, torch.Tensor]) -> None:
    """An energy that depends on where the origin is."""
    out["energy"] = out["energy"] + 1e-3 * graph["positions"].mean()


def last_structure(out: dict[str, Any], graph: dict[str, torch.Tensor]) -> None:
    """Forces of the last structure of a batch of several."""
    if len(out["energy"]) > 1:
        out["forces"] = out["forces"] * (1.0 + 0.1 * (graph["batch"] == len(out["energy"]) - 1)[:, None])


@pytest.mark.parametrize(("change", "kind"), [(along_x, "rotation"), (first_atom, "permutation"), (far, "translation"), (last_structure, "batch")])
def test_what_depends_on_the_frame_is_seen(change: Change, kind: str) -> None:
    """In the change that shows it, in meV/Å or meV/atom."""
    sound, found = of(small().module, water()[0]), of(Faulty(change), water()[0])
    size = {k: (e.force_meV_per_A or 0.0) + (e.energy_meV_per_atom or 0.0) for k, e in found.items()}
    assert size[kind] > 0.1 > 100 * ((sound[kind].force_meV_per_A or 0.0) + (sound[kind].energy_meV_per_atom or 0.0))
