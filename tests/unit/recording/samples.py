"""Small models, and calculators of them, that are recorded."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ase import Atoms, units
from ase.md.verlet import VelocityVerlet

import mpcheck
from mpcheck.adapters.architecture import Architecture, build_model
from mpcheck.adapters.graph import Graph, make_graph
from mpcheck.adapters.load import load_model, load_object
from mpcheck.adapters.upstream import quiet
from mpcheck.systems import Structures, resolve_system

HCO = "builtin:hco"
R_MAX = 4.0
SMALL = Architecture(
    schema_version=1, name="small", elements=["H", "O"], atomic_energies={"H": -1.5, "O": -3.0}, r_max=R_MAX, num_bessel=3, max_ell=1,
    hidden_irreps="4x0e + 4x1o", MLP_irreps="3x0e", correlation=2, num_interactions=2, radial_MLP=[5], avg_num_neighbors=7.3,
    atomic_inter_scale=0.7, atomic_inter_shift=-0.1, weights_seed=3,
)  # fmt: skip


def small(**changes: Any) -> torch.nn.Module:
    """A model of hydrogen and oxygen in float64."""
    return build_model(SMALL.model_copy(update=changes))


def water() -> Atoms:
    """The built-in box of water."""
    return resolve_system("builtin:water", ["H", "O"], R_MAX).frames[0].copy()


def graph(*frames: Atoms, skin: float = 0.0) -> Graph:
    """What upstream makes of structures."""
    return make_graph(frames or (water(),), ["H", "O"], R_MAX + skin)


def recorded(path: Path, *graphs: Graph, model: torch.nn.Module | None = None, dtype: torch.dtype = torch.float64, **how: Any) -> Path:
    """A file of calls on graphs."""
    own = (small() if model is None else model).to(dtype)
    with mpcheck.capture(own, path, **how):
        for one in graphs or (graph(),):
            own({k: v.to(dtype) if v.is_floating_point() else v.clone() for k, v in one.items()})
    return path


def resolve(spec: Path | str, model: torch.nn.Module | None = None) -> Structures:
    """A file as the system of a model."""
    loaded = load_object(small() if model is None else model)
    return resolve_system(str(spec), loaded.elements, loaded.r_max, 0, loaded.inputs, loaded.heads)


def calculator(dtype: str = "float32") -> Any:
    """Upstream's calculator of the built-in model."""
    from mace.calculators import MACECalculator

    logging.disable(logging.WARNING)
    try:
        with quiet(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return MACECalculator(models=[load_model(HCO).module], device="cpu", default_dtype=dtype)
    finally:
        logging.disable(logging.NOTSET)


def dynamics(calc: Any, steps: int = 6) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Positions after some steps of hot water."""
    atoms = water()
    atoms.calc = calc
    atoms.set_momenta(np.random.default_rng(1).normal(size=(len(atoms), 3)) * np.sqrt(atoms.get_masses() * units.kB * 900.0)[:, None])
    VelocityVerlet(atoms, 0.5 * units.fs).run(steps)
    return np.array(atoms.positions)


def hooks(model: torch.nn.Module) -> int:
    """How many hooks a model has."""
    return sum(len(m._forward_pre_hooks) + len(m._forward_hooks) for m in model.modules())


def without(keep: Callable[[Graph], torch.Tensor], whole: Graph) -> Graph:
    """A graph with some of its edges."""
    chosen = keep(whole)
    return {k: v[:, chosen] if k == "edge_index" else v[chosen] if k in ("shifts", "unit_shifts") else v for k, v in whole.items()}
