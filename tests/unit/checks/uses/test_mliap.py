"""Faults of the ML-IAP interface: signs, energies, heads and types."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from mpcheck.adapters.upstream import o3
from mpcheck.checks.uses.mliap import IMAGE
from mpcheck.sessions.run import Session
from tests.faults.patches.planting import exchanged
from tests.unit.checks.uses.planted import Planted, mliap
from tests.unit.checks.uses.small_models import built, judged, red, session_of


def pairs(change: Callable[[Any, Any, torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]) -> Planted:
    """Energies and pair forces on their way to LAMMPS."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(self: Any, data: Any, energies: torch.Tensor, forces: torch.Tensor, atoms: int) -> None:
            original(self, data, *change(self, data, energies, forces), atoms)

        return call

    return exchanged(mliap.LAMMPS_MLIAP_MACE, "_update_lammps_data", make)


PAIRS = {
    "forces": lambda self, data, e, f: (e, -f),
    "node_energy": lambda self, data, e, f: (e[:1].expand_as(e), f),
    "energy": lambda self, data, e, f: (e + 1e-9, f),
    "virial": lambda self, data, e, f: (e, f + 1e-6 * data.rij.to(f) * (data.pair_i < len(e))[:, None]),
}


@pytest.mark.parametrize("what", PAIRS)
def test_pairs(run: Session, what: str) -> None:
    with pairs(PAIRS[what]):
        assert "float64" in red(judged(run, "doors", "lammps-mliap"))


def test_vectors_from_the_other_end(run: Session) -> None:
    """Forces and virial of the structure mirrored."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(self: Any, *args: Any) -> Any:
            batch = original(self, *args)
            return {**batch, "vectors": -batch["vectors"]}

        return call

    with exchanged(mliap.LAMMPS_MLIAP_MACE, "_prepare_batch", make):
        assert "float64" in red(judged(run, "doors", "lammps-mliap"))


@pytest.mark.parametrize(("dtype", "variant"), [(torch.float32, "float64"), (torch.float64, "float32")])
def test_a_type_that_is_ignored(run: Session, dtype: torch.dtype, variant: str) -> None:
    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(self: Any, *args: Any) -> Any:
            batch = original(self, *args)
            self.model = self.model.to(dtype)
            return {k: v.to(dtype) if isinstance(v, torch.Tensor) and v.is_floating_point() else v for k, v in batch.items()}

        return call

    with exchanged(mliap.LAMMPS_MLIAP_MACE, "_prepare_batch", make):
        found = red(judged(run, "doors", "lammps-mliap"))
    assert variant in found
    assert {t.dtype for t in run.reference_backend.model.parameters()} == {torch.float64}, "what was cast is put back"


def test_the_last_head_for_all(heads: Session) -> None:
    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def init(self: Any, model: Any, **kwargs: Any) -> None:
            original(self, model, **{**kwargs, "head": model.heads[-1]})

        return init

    with exchanged(mliap.LAMMPS_MLIAP_MACE, "__init__", make):
        assert set(red(judged(heads, "doors", "lammps-mliap"))) == {"head first, float64"}


def test_a_model_that_tells_left_from_right_gets_the_mirror_image(tmp_path: Path) -> None:
    """LAMMPS's vectors go from an atom to its neighbours, MACE's come from them: a known fault of models built with use_so3, and only that."""
    model = built("ScaleShiftMACE", use_so3=True, hidden_irreps=o3.Irreps("4x0e+4x1e"))
    found = judged(session_of(model, tmp_path), "doors", "lammps-mliap")
    assert {v: r.verdict for v, r in found.items()} == {"float64": "pass", "float32": "pass", IMAGE: "known-fault"}
    assert "mirror image of a structure, whose energy is another by" in found[IMAGE].reason


def test_forces_of_such_a_model_are_still_judged(tmp_path: Path) -> None:
    model = built("ScaleShiftMACE", use_so3=True, hidden_irreps=o3.Irreps("4x0e+4x1e"))
    run = session_of(model, tmp_path)
    with pairs(PAIRS["forces"]):
        assert {"float64", "float32"} <= set(red(judged(run, "doors", "lammps-mliap")))
