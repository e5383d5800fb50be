"""Models inside of what people save around them, and everything that is no model."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from e3nn.util import jit

from mpcheck.adapters.load import load_model, load_object
from mpcheck.adapters.upstream import environment_restored, quiet
from tests.unit.adapters.loading import SAFE, refusal

with environment_restored(SAFE), quiet():
    from mace.calculators import LAMMPS_MACE
    from mace.calculators.lammps_mliap_mace import MACEEdgeForcesWrapper
pytestmark = [pytest.mark.filterwarnings("ignore:`torch.jit"), pytest.mark.usefixtures("nothing_global_changes")]

HOLDERS: dict[str, tuple[Callable[[torch.nn.Module], object], str]] = {
    "dictionary": (lambda m: {"model": m, "epoch": 3}, "entry 'model' of a dictionary"),
    "another key": (lambda m: {"net": m, "optimizer": {"state": {}}}, "entry 'net' of a dictionary"),
    "list": (lambda m: [m], "a list"),
    "data parallel": (torch.nn.DataParallel, "DataParallel"),
    "averaged": (torch.optim.swa_utils.AveragedModel, "AveragedModel"),
    "torch.compile": (lambda m: torch.compile(m), "OptimizedModule"),
    "LAMMPS": (LAMMPS_MACE, "LAMMPS_MACE"),
    "ML-IAP": (MACEEdgeForcesWrapper, "MACEEdgeForcesWrapper"),
    "wrapped twice": (lambda m: {"state": torch.nn.DataParallel(m)}, "DataParallel, in entry 'state' of a dictionary"),
}


@pytest.mark.parametrize("kind", HOLDERS)
def test_a_held_model_is_judged(tiny: torch.nn.Module, tmp_path: Path, kind: str) -> None:
    make, told = HOLDERS[kind]
    torch.save(make(copy.deepcopy(tiny)), tmp_path / "held.pt")
    loaded = load_model(str(tmp_path / "held.pt"))
    assert loaded.source["held"] == f"taken out of {told}"
    assert loaded.digest == load_object(tiny).digest
    assert type(loaded.module).__name__ == "ScaleShiftMACE"


NONE: dict[str, tuple[Callable[[torch.nn.Module], object], str]] = {
    "two models": (lambda m: {"a": m, "b": m}, "holds 2 models ('a', 'b')"),
    "a committee": (lambda m: [m, m], "is a list of 2 objects"),
    "a state dict": (lambda m: m.state_dict(), "is a dictionary (a state dict: weights only)"),
    "a checkpoint": (lambda m: {"optimizer": {}, "model": m.state_dict()}, "(a checkpoint: weights under 'model')"),
    "nothing": (lambda m: {"a": 1}, "without a model or its weights"),
    "empty": (lambda m: {}, "(empty)"),
}


@pytest.mark.parametrize("kind", NONE)
def test_what_is_no_model_is_said_in_a_line(tiny: torch.nn.Module, tmp_path: Path, kind: str) -> None:
    make, told = NONE[kind]
    torch.save(make(tiny), tmp_path / "other.pt")
    message = refusal(str(tmp_path / "other.pt"))
    assert told in message and len(message) < 500


@pytest.mark.parametrize("export", [True, False])
def test_torchscript_says_what_it_is(tiny: torch.nn.Module, tmp_path: Path, export: bool) -> None:
    model = copy.deepcopy(tiny)
    with torch.random.fork_rng(devices=[]):  # tracing draws inputs
        jit.compile(LAMMPS_MACE(model) if export else model).save(tmp_path / "compiled.pt")
    told = "exported for LAMMPS (TorchScript)" if export else "TorchScript-compiled model (ScaleShiftMACE)"
    assert told in refusal(str(tmp_path / "compiled.pt"))
