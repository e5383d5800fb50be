"""Upstream's export to LAMMPS in TorchScript, as its command line makes it, and what LAMMPS asks of it."""

from __future__ import annotations

import contextlib
import importlib
import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from mpcheck.adapters.calculator import SAFE_LOADING, written
from mpcheck.adapters.execution import Tensors
from mpcheck.adapters.upstream import environment_restored, quiet
from mpcheck.formats import FLOAT64

COMMAND = "mace.cli.create_lammps_model"


@contextlib.contextmanager
def arguments(*words: str) -> Iterator[None]:
    """A command line of somebody else's."""
    before = sys.argv
    sys.argv = list(words)
    try:
        yield
    finally:
        sys.argv = before


def exported(model: torch.nn.Module, folder: Path, head: str, dtype: str = FLOAT64.name) -> torch.jit.ScriptModule:
    """What ``mace_create_lammps_model`` writes of a model, loaded again.

    Args:
        folder: of the caller's, for the model and its export.
        head: the one to export, by name; empty for the only one. dtype: ``float64`` or ``float32``.

    Raises:
        ImportError: upstream has no such command. BaseException: whatever it raises.
    """
    path = written(model, folder)
    # e3nn's compilation traces modules with random inputs
    with quiet(), environment_restored(SAFE_LOADING), torch.random.fork_rng(devices=[]), contextlib.redirect_stdout(io.StringIO()):
        command = importlib.import_module(COMMAND)
        command.os.environ[SAFE_LOADING] = "1"  # as the import leaves it in a process of a user's
        words = [COMMAND, str(path), "--dtype", dtype]
        with arguments(*words, *(["--head", head] if head else [])):
            command.main()
        made: torch.jit.ScriptModule = torch.jit.load(f"{path}-lammps.pt", map_location="cpu")
    return made


def plain(model: torch.nn.Module, head: str) -> torch.nn.Module:
    """The module that the command line compiles, of one head, in Python; it freezes the model's parameters.

    Raises:
        ImportError: upstream has no such module. BaseException: whatever it raises.
    """
    with quiet(), environment_restored(SAFE_LOADING):
        made: torch.nn.Module = importlib.import_module("mace.calculators.lammps_mace").LAMMPS_MACE(model, head=head)
    return made


def as_lammps(export: torch.nn.Module, graph: Tensors, local: torch.Tensor, virials: bool) -> dict[str, torch.Tensor]:
    """One call as LAMMPS's ``pair_style mace`` makes it.

    Args:
        graph: of one structure, see :func:`mpcheck.adapters.graph.make_graph`. local: [atoms], whether each is this domain's own.
        virials: whether they are asked for.

    Returns:
        total_energy_local [1] in eV, node_energy [atoms] in eV, forces [atoms, 3] in eV/Å of the local atoms' energy, virials [1, 3, 3] in eV.
    """
    data = {k: v.detach().clone() for k, v in graph.items() if k != "head"}
    data["positions"].requires_grad_(True)
    out: dict[str, Any] = export(data, local, virials)
    return {k: v.detach() for k, v in out.items() if isinstance(v, torch.Tensor)}
