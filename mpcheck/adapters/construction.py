"""Build small upstream models the way users do, without mpcheck's guards, and see what the constructors leave behind."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import torch

from mpcheck.adapters.architecture import GATES
from mpcheck.adapters.upstream import default_dtype, mace, o3, quiet

ELEMENTS = (1, 8)


def small_model() -> torch.nn.Module:
    """A MACE model of two elements and one layer, built under the ambient default dtype. Fractions of a second."""
    import numpy as np

    with torch.random.fork_rng(devices=[]), quiet():
        torch.manual_seed(0)
        model: torch.nn.Module = mace.modules.ScaleShiftMACE(
            r_max=3.0,
            num_bessel=2,
            num_polynomial_cutoff=5,
            max_ell=1,
            interaction_cls=mace.modules.interaction_classes["RealAgnosticResidualInteractionBlock"],
            interaction_cls_first=mace.modules.interaction_classes["RealAgnosticResidualInteractionBlock"],
            num_interactions=2,
            num_elements=len(ELEMENTS),
            hidden_irreps=o3.Irreps("2x0e + 2x1o"),
            MLP_irreps=o3.Irreps("2x0e"),
            atomic_energies=np.array([-13.6, -27.2]),
            avg_num_neighbors=4.0,
            atomic_numbers=list(ELEMENTS),
            correlation=2,
            gate=GATES["silu"],
            radial_MLP=[4],
            atomic_inter_scale=1.0,
            atomic_inter_shift=0.0,
        )
    return model


def small_twin(layout: str) -> Callable[[], torch.nn.Module]:
    """A conversion of a float64 small model by upstream's converter. Building the source is not part of it."""
    from mace.cli.convert_e3nn_cueq import run

    with default_dtype(torch.float64):
        source = small_model()

    def convert() -> torch.nn.Module:
        with torch.random.fork_rng(devices=[]), quiet():
            twin: torch.nn.Module = run(source, device="cpu", return_model=True, layout=layout)
        return twin

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
