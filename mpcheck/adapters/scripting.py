"""A model in memory through TorchScript, as upstream's export to LAMMPS has it (``mace_create_lammps_model``), called like upstream's models."""

from __future__ import annotations

import copy
import importlib
from collections.abc import Callable
from typing import Any

import torch

from mpcheck.adapters.upstream import quiet


class Scripted(torch.nn.Module):
    """A scripted model. It computes one structure, of the head that it was made for, with forces and virials by its own differentiation.

    Attributes:
        export: torch's module. interaction: whether its energy is the interaction energy, those of isolated atoms being taken out.
    """

    def __init__(self, model: torch.nn.Module, head: str = "", interaction: bool = False) -> None:
        """Args:
            model: upstream's, of its own class; a copy is compiled. head: of several, by name; the last by default.

        Raises:
            BaseException: whatever torch or e3nn raises where it cannot be scripted.
        """
        super().__init__()
        wrapper: Any = importlib.import_module("mace.calculators.lammps_mace").LAMMPS_MACE
        scripting: Any = importlib.import_module("e3nn.util.jit")
        with quiet(), torch.random.fork_rng(devices=[]):  # e3nn traces modules with random inputs
            self.export: Callable[..., Any] = scripting.compile(wrapper(copy.deepcopy(model), **({"head": head} if head else {})))
        self.interaction = interaction

    def forward(self, data: dict[str, torch.Tensor], compute_force: bool = True, compute_stress: bool = False, **flags: Any) -> dict[str, Any]:
        """The outputs that upstream's models have under these names; forces always.

        Raises:
            ValueError: more than one structure.
        """
        if data["ptr"].numel() != 2:
            raise ValueError(f"{data['ptr'].numel() - 1} structures: upstream's export computes one")
        given = {n: t.detach() for n, t in data.items() if n != "head"}
        given["positions"] = given["positions"].clone().requires_grad_(True)
        local = torch.ones_like(given["positions"][:, 0])
        virials = compute_stress or bool(flags.get("compute_virials"))
        made: dict[str, Any] = self.export(given, local, virials)
        out = {"energy": made["total_energy_local"], "node_energy": made["node_energy"], "forces": made["forces"]}
        if self.interaction:
            out["interaction_energy"] = out["energy"]
        if virials:
            out["virials"] = made["virials"]
        if compute_stress:
            out["stress"] = -made["virials"].reshape(-1, 3, 3) / torch.linalg.det(given["cell"].reshape(-1, 3, 3)).abs()[:, None, None]
        return {n: t.detach() for n, t in out.items() if isinstance(t, torch.Tensor)}


class ScriptedWhole(torch.nn.Module):
    """A scripted model as upstream's training writes it (``NAME_compiled.model``): any number of structures, forces and stress of its own.

    Attributes:
        export: torch's module. instead: what computes in place of TorchScript; empty where that does.
    """

    def __init__(self, model: torch.nn.Module) -> None:
        """Args:
            model: upstream's; a copy is compiled.

        Raises:
            BaseException: whatever torch or e3nn raises where it cannot be scripted.
        """
        super().__init__()
        self.export = scripted(model)
        self.instead = eager(self.export)

    def forward(
        self, data: dict[str, torch.Tensor], compute_force: bool = True, compute_stress: bool = False, compute_virials: bool = False
    ) -> dict[str, Any]:
        """The model's outputs."""
        made: dict[str, Any] = self.export(data, compute_force=compute_force, compute_stress=compute_stress, compute_virials=compute_virials)
        return {n: t.detach() if isinstance(t, torch.Tensor) else t for n, t in made.items()}


def lost_in_script(model: torch.nn.Module) -> str:
    """Where upstream's code reads at each call how a converted model is laid out; empty where it does not.

    It asks ``hasattr(self, "cueq_config")``, which TorchScript answers when it compiles, and with no, since it keeps no such object: what was
    compiled takes e3nn's layout and one-hot elements (shapes then disagree, or numbers do where they are equal by chance).
    """
    for name, module in model.named_modules():
        if getattr(getattr(module, "cueq_config", None), "enabled", False):
            return f"{name or type(model).__name__} reads its layout off cueq_config, which TorchScript leaves out: it would take e3nn's"
    return ""


def scripted(module: torch.nn.Module) -> torch.nn.Module:
    """A copy of a module through TorchScript, by e3nn's own recipe for its modules.

    Raises:
        BaseException: whatever torch or e3nn raises where it cannot be scripted.
    """
    scripting: Any = importlib.import_module("e3nn.util.jit")
    with quiet(), torch.random.fork_rng(devices=[]):  # e3nn traces modules with random inputs
        made: torch.nn.Module = scripting.compile(copy.deepcopy(module))
        return made if isinstance(made, torch.jit.ScriptModule) else torch.jit.script(made)


def eager(module: torch.nn.Module) -> str:
    """What computes in place of TorchScript; torch hands modules back as they are where it is switched off (``PYTORCH_JIT=0``)."""
    return "" if isinstance(module, torch.jit.ScriptModule) else f"{type(module).__name__} is no TorchScript: Python runs it"
