"""Build small upstream models the way users do, without mpcheck's guards, and see what the constructors leave behind."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

import torch

from mpcheck.adapters.architecture import Architecture, constructor_arguments
from mpcheck.adapters.upstream import default_dtype, mace, quiet

SMALL = Architecture(
    schema_version=1, name="small", elements=["H", "O"], atomic_energies={"H": -13.6, "O": -27.2}, r_max=3.0, num_bessel=2, max_ell=1,
    hidden_irreps="2x0e + 2x1o", MLP_irreps="2x0e", correlation=2, avg_num_neighbors=4.0, radial_MLP=[4],
)  # fmt: skip
"""Two elements, two layers: built in fractions of a second."""


def small_model() -> torch.nn.Module:
    """The small model, built under the ambient default dtype."""
    with torch.random.fork_rng(devices=[]), quiet():
        torch.manual_seed(0)
        model: torch.nn.Module = mace.modules.ScaleShiftMACE(**constructor_arguments(SMALL))
    return model


def small_twin(converter: str, device: str = "cpu", **options: str) -> Callable[[], torch.nn.Module]:
    """A conversion of a float64 small model by upstream's converter. Building the source is not part of it.

    Args:
        converter: its module. options: of its ``run``.
    """
    run: Callable[..., torch.nn.Module] = import_module(converter).run
    with default_dtype(torch.float64):
        source = small_model()

    def convert() -> torch.nn.Module:
        with torch.random.fork_rng(devices=[]), quiet():
            return run(source, device=device, return_model=True, **options)

    return convert


class DtypeChanges:
    """Who called ``torch.set_default_dtype``, with what, while the context lasts: ``(who, dtype)`` in order."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, torch.dtype]] = []

    def __enter__(self) -> DtypeChanges:
        self.original = torch.set_default_dtype

        def watched(d: Any) -> None:
            frame = sys._getframe(1)
            owner = frame.f_locals.get("self")
            who = type(owner).__name__ + "." if owner is not None else ""
            self.calls.append((f"{who}{frame.f_code.co_name} of {frame.f_globals.get('__name__', '?')}", d))
            self.original(d)

        torch.set_default_dtype = watched
        return self

    def __exit__(self, *_: object) -> None:
        torch.set_default_dtype = self.original

    def last(self) -> str:
        """Who set it last."""
        return self.calls[-1][0] if self.calls else "an unknown caller"
