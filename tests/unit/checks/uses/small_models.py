"""Small models of several classes, and sessions that judge them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from mpcheck.adapters.upstream import default_dtype, mace, o3
from mpcheck.judge.context import Key
from mpcheck.records.record import Record
from mpcheck.sessions.run import Options, Session
from tests import inspections

RESIDUAL = "RealAgnosticResidualInteractionBlock"
MLP = {"AtomicDielectricMACE": "4x0e+4x1o+4x2e", "EnergyDipolesMACE": "4x0e+4x1o"}


def built(name: str, heads: tuple[str, ...] = (), **other: Any) -> torch.nn.Module:
    """A random H/O model of one of upstream's classes, in float64; of several heads where they are given, which differ in everything."""
    block = mace.modules.interaction_classes[RESIDUAL]
    arguments: dict[str, Any] = {
        "r_max": 4.0, "num_bessel": 4, "num_polynomial_cutoff": 5, "max_ell": 2, "interaction_cls": block, "interaction_cls_first": block,
        "num_interactions": 2, "num_elements": 2, "hidden_irreps": o3.Irreps("4x0e+4x1o" + ("+4x2e" if "Dielectric" in name else "")),
        "MLP_irreps": o3.Irreps(MLP.get(name, "4x0e")), "avg_num_neighbors": 8.0, "atomic_numbers": [1, 8], "correlation": 2,
        "gate": torch.nn.functional.silu, "radial_MLP": [8, 8], "atomic_energies": None if name.startswith("Atomic") else np.array([-1.0, -2.0]),
    }  # fmt: skip
    if name == "ScaleShiftMACE":
        arguments |= {"atomic_inter_scale": 1.0, "atomic_inter_shift": 0.0}
    if heads:
        arguments |= {"heads": list(heads), "atomic_energies": np.array([[-1.0, -2.0], [-3.0, -5.0]])}
        arguments |= {"atomic_inter_scale": np.array([1.0, 1.3]), "atomic_inter_shift": np.array([0.1, -0.2])}
    with torch.random.fork_rng(devices=[]), default_dtype(torch.float64):
        torch.manual_seed(1)
        model: torch.nn.Module = getattr(mace.modules.models, name)(**{**arguments, **other})
    return model.eval()


def session_of(model: torch.nn.Module, folder: Path) -> Session:
    """A run of a model that lies in a file, on e3nn."""
    torch.save(model, folder / "small.model")
    return Session(Options(model=str(folder / "small.model"), systems=("builtin:water",), backends=("e3nn",), cache=folder / "cache"))


def judged(run: Session, check: str, subject: str, backend: str = "e3nn") -> dict[str, Record]:
    """What a property finds, by variant."""
    return {f.variant: f for f in inspections.run("audit", run, Key(check, subject, backend, "float64"))}


def red(found: dict[str, Record]) -> dict[str, str]:
    """Reasons of the failures, by variant."""
    return {variant: f.reason for variant, f in found.items() if f.verdict == "fail"}
