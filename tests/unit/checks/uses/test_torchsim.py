"""TorchSim's door, by a package that poses as it: sound, with faults, and not there."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any
from unittest import mock

import pytest
import torch

from mpcheck.sessions.run import Session
from tests.unit.checks.uses.small_models import judged, red
from tests.unit.checks.uses.torchsim_stand_in import installed

BOTH = {"MaceModel, float64", "MaceModel, float32"}
FAULTS: dict[str, tuple[dict[str, Any], set[str]]] = {
    "cells by rows": ({"state": lambda s: replace(s, cell=s.cell.mT)}, BOTH),
    "the first cell for all": ({"state": lambda s: replace(s, cell=s.cell[:1].expand_as(s.cell))}, BOTH),
    "periodicity ignored": ({"state": lambda s: replace(s, pbc=False)}, BOTH),
    "a stand-in taken for a cell": ({"state": lambda s: replace(s, pbc=True)}, BOTH),
    "energies the other way round": ({"result": lambda r: {**r, "energy": r["energy"].flip(0)}}, BOTH),
    "sign of the stress": ({"result": lambda r: {**r, **({"stress": -r["stress"]} if "stress" in r else {})}}, BOTH),
    "stress in another order": ({"result": lambda r: {**r, **({"stress": r["stress"].flip(1)} if "stress" in r else {})}}, BOTH),
    "no stress": ({"result": lambda r: {n: v for n, v in r.items() if n != "stress"}}, BOTH),
    "forces of zero": ({"result": lambda r: {**r, "forces": r["forces"] * 0}}, BOTH),
    "float32 whatever is asked": ({"asked": lambda a: {**a, "dtype": torch.float32}}, {"MaceModel, float64"}),
    "float64 whatever is asked": ({"asked": lambda a: {**a, "dtype": torch.float64}}, {"MaceModel, float32"}),
    "positions once in float32": ({"state": lambda s: replace(s, positions=s.positions.float().to(s.positions))}, {"MaceModel, float64"}),
}


@pytest.mark.parametrize("name", FAULTS)
def test_faults(run: Session, name: str) -> None:
    faults, variants = FAULTS[name]
    with installed(**faults):
        assert set(red(judged(run, "doors", "torchsim"))) == variants


def test_sound(run: Session, heads: Session) -> None:
    with installed():
        found = judged(run, "doors", "torchsim"), judged(heads, "doors", "torchsim")
    passed = [{v for v, r in f.items() if r.verdict == "pass"} for f in found]
    assert passed == [BOTH, {f"MaceModel, head {h}, float64" for h in ("first", "second")} | {"MaceModel, head second, float32"}]
    # upstream's own class was imported before, and found no TorchSim
    assert [r.verdict for f in found for v, r in f.items() if "MaceModel" not in v] == ["unsupported"] * 2


def test_a_head_that_is_ignored(heads: Session) -> None:
    with installed(asked=lambda a: {**a, "head": "second"}):
        assert set(red(judged(heads, "doors", "torchsim"))) == {"MaceModel, head first, float64"}


def test_what_it_raises_is_red(run: Session) -> None:
    def raising(_: Any) -> Any:
        raise KeyError("cell")

    with installed(state=raising):
        assert all("MaceModel raised KeyError" in red(judged(run, "doors", "torchsim"))[variant] for variant in BOTH)


def test_not_there(run: Session) -> None:
    with mock.patch.dict(sys.modules, {"torch_sim": None}):
        (found,) = judged(run, "doors", "torchsim").values()
    assert found.verdict == "unsupported" and "torch_sim is not installed" in found.reason


def test_nothing_is_left_behind(run: Session) -> None:
    model = run.reference_backend.model
    before, numbers = {n: t.dtype for n, t in model.state_dict().items()}, model.atomic_numbers
    with installed():
        judged(run, "doors", "torchsim")
    assert {n: t.dtype for n, t in model.state_dict().items()} == before and model.atomic_numbers is numbers
