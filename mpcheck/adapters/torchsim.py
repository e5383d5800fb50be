"""TorchSim's model of MACE, by TorchSim's public interface: structures to a state, a state to energies, forces and stress."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from ase import Atoms

from mpcheck._raised import Raised, attempt
from mpcheck.adapters.calculator import SAFE_LOADING
from mpcheck.adapters.upstream import environment_restored, quiet

PACKAGE = "torch_sim"
NEEDS = (3, 12)
"""The Python that TorchSim's releases need."""
CLASSES = (("torch_sim.models.mace", "MaceModel"), ("mace.calculators.mace_torchsim", "MaceTorchSimModel"))
"""Where there is one: TorchSim's own, and upstream's, which has heads."""


def interfaces() -> dict[str, Any] | str:
    """Classes by name, or why one cannot be had, a text; why there are none at all."""
    with quiet(), environment_restored(SAFE_LOADING):
        package = attempt(lambda: importlib.import_module(PACKAGE))
        if isinstance(package, Raised):
            if isinstance(package.error, ModuleNotFoundError) and package.error.name == PACKAGE:
                here = ".".join(map(str, sys.version_info[:2]))
                lacks = f" (it needs Python {'.'.join(map(str, NEEDS))} or later, this is {here})" if sys.version_info[:2] < NEEDS else ""
                return f"{PACKAGE} is not installed{lacks}"
            return f"{PACKAGE} cannot be imported: {package.line}"
        return {name: _class(module, name) for module, name in CLASSES}


def _class(module: str, name: str) -> Any:
    """A class, or why it cannot be had: upstream's module can be imported without TorchSim, and says in its constructor that it lacks it."""
    found = attempt(lambda: importlib.import_module(module))
    if isinstance(found, Raised):
        return f"{name} cannot be imported: {found.line}"
    lacks = getattr(found, "_TORCHSIM_IMPORT_ERROR", None)
    return f"{name} finds no TorchSim that it can use: {lacks}" if lacks is not None else getattr(found, name, f"{module} has no {name}")


def takes_heads(interface: Any) -> bool:
    """Whether a class is told which head to compute."""
    return "head" in inspect.signature(interface.__init__).parameters


@contextlib.contextmanager
def opened(interface: Any, model: torch.nn.Module, device: torch.device, dtype: torch.dtype, head: str = "", *, stress: bool = True) -> Iterator[Any]:
    """A model behind TorchSim's interface; the class casts the model in place and replaces its atomic numbers, which is put back.

    Args:
        head: by name, of a class that :func:`takes_heads`. stress: whether it is asked for.
    """
    numbers = model.atomic_numbers
    chosen = {"head": head} if head and takes_heads(interface) else {}
    try:
        with quiet():
            yield interface(model=model, device=device, dtype=dtype, compute_forces=True, compute_stress=stress, **chosen)
    finally:
        model.atomic_numbers = numbers


def told(made: Any, frames: Sequence[Atoms], device: torch.device, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """Energy [systems] in eV, forces [atoms, 3] in eV/Å and stress [systems, 3, 3] in eV/Å^3 of structures of one periodicity.

    Raises:
        BaseException: whatever TorchSim or upstream raises.
    """
    io: Any = importlib.import_module(f"{PACKAGE}.io")
    with quiet():
        state = io.atoms_to_state(list(frames), device, dtype)
        out: dict[str, Any] = made(state)
    return {n: v.detach() for n, v in out.items() if isinstance(v, torch.Tensor)}
