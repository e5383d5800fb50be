"""Upstream's ASE calculator around a model in memory or in a file, and a record of what it asks the model."""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from mpcheck.adapters.backends.casting import replaced
from mpcheck.adapters.upstream import environment_restored, quiet

SAFE_LOADING = "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"
MODEL_TYPES = {
    "AtomicDipolesMACE": "DipoleMACE", "EnergyDipolesMACE": "EnergyDipoleMACE", "AtomicDielectricMACE": "DipolePolarizabilityMACE",
    "PolarMACE": "PolarMACE",
}  # fmt: skip
"""Upstream's name of the type of a model, for its calculator, by class; every other is ``MACE``."""


class Recording(torch.nn.Module):
    """A model that notes the graphs that it gets, and whose outputs may be scaled, so that one model can be several of a committee.

    Attributes:
        graphs: copies of what it got, in the order of the calls. factor: of the outputs named in ``SCALED``.
    """

    SCALED = ("energy", "node_energy", "forces", "stress", "virials")

    def __init__(self, model: torch.nn.Module, factor: float = 1.0) -> None:
        super().__init__()
        self.model = model
        self.factor = factor
        self.graphs: list[dict[str, torch.Tensor]] = []

    def __getattr__(self, name: str) -> Any:
        """The model's own attributes: upstream's calculator reads cut-off, elements, heads and E0 off a model."""
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("model"), name)

    def forward(self, data: dict[str, torch.Tensor], *args: Any, **flags: Any) -> dict[str, Any]:
        """The model's outputs."""
        self.graphs.append({k: v.detach().clone() for k, v in data.items() if isinstance(v, torch.Tensor)})
        out: dict[str, Any] = self.model(data, *args, **flags)
        if self.factor == 1.0:
            return out
        return {k: v * self.factor if k in self.SCALED and isinstance(v, torch.Tensor) else v for k, v in out.items()}


@contextlib.contextmanager
def as_it_was(model: torch.nn.Module) -> Iterator[None]:
    """Upstream's calculator casts a model in place and freezes its parameters: both put back, bit by bit."""
    wanted = [(p, p.requires_grad) for p in model.parameters()]
    modes = [(m, m.training) for m in model.modules()]
    try:
        with replaced(model, lambda t: t):
            yield
    finally:
        for parameter, before in wanted:
            parameter.requires_grad_(before)
        for module, training in modes:
            module.training = training


def calculator(
    models: Sequence[torch.nn.Module] = (), path: Path | None = None, *, device: torch.device, model_type: str = "MACE", **options: Any
) -> Any:
    """Upstream's calculator; imported when first needed, because its package sets an environment variable.

    Args:
        models: in memory, one or a committee; or ``path``, of a pickled model that the caller has written.
        options: of upstream's constructor: ``default_dtype``, ``head``, ``energy_units_to_eV`` …

    Raises:
        BaseException: whatever upstream raises.
    """
    source: dict[str, Any] = {"models": list(models)} if path is None else {"model_paths": str(path)}
    with quiet(), environment_restored(SAFE_LOADING), silent():
        interface = importlib.import_module("mace.calculators").MACECalculator
        os.environ[SAFE_LOADING] = "1"  # as that import has left it in a process of a user's
        return interface(**source, device=str(device), model_type=model_type, **options)


@contextlib.contextmanager
def silent() -> Iterator[None]:
    """Upstream logs warnings that its users know; the levels are put back."""
    level, disabled = logging.root.level, logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(disabled)
        logging.root.setLevel(level)


WITHOUT_ENERGY = ("DipoleMACE", "DipolePolarizabilityMACE")
"""What upstream calls models that compute dipoles alone."""


def model_type_of(model: torch.nn.Module) -> str:
    """What upstream's calculator wants to be told of a model."""
    return MODEL_TYPES.get(type(model).__name__, "MACE")


def written(model: torch.nn.Module, folder: Path) -> Path:
    """A model as ``torch.save`` writes it, in a folder of the caller's."""
    path = folder / "judged.model"
    torch.save(model, path)
    return path
