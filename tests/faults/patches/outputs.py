"""Faults of what the whole model gives back: node energies, virials, stresses, sums over atoms."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch

from mpcheck.adapters.upstream import mace
from mpcheck.sessions.run import Session
from tests.faults.patches.planting import exchanged, patch

Outputs = dict[str, Any]


def _outputs(change: Callable[[Any, Outputs, torch.Tensor], Outputs]) -> Any:
    """``ScaleShiftMACE.forward`` whose outputs are changed, given each atom's E0 [atoms]."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def forward(self: Any, data: dict[str, torch.Tensor], *args: Any, **kwargs: Any) -> Outputs:
            out: Outputs = original(self, data, *args, **kwargs)
            return out | change(self, out, self.atomic_energies_fn(data["node_attrs"])[:, 0])

        return forward

    return exchanged(mace.modules.models.ScaleShiftMACE, "forward", make)


@patch
def sign_of_atomic_virials(session: Session) -> Iterator[None]:
    """Virials by atom with the sign of another convention."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            virials, stresses = original(*args, **kwargs)
            return -virials, stresses

        return call

    with exchanged(mace.modules.models, "get_atomic_virials_stresses", make):
        yield


@patch
def node_energy_of_e0_alone(session: Session) -> Iterator[None]:
    """Node energies overwritten by what was there before the interactions."""
    with _outputs(lambda self, out, e0: {"node_energy": e0.clone()}):
        yield


@patch
def e0_subtracted_again(session: Session) -> Iterator[None]:
    """Node energies from which E0 was taken once too often."""
    with _outputs(lambda self, out, e0: {"node_energy": out["node_energy"] - e0}):
        yield


@patch
def small_stresses_zeroed(session: Session) -> Iterator[None]:
    """The guard against infinite stresses with its comparison turned round."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            forces, virials, stress = original(*args, **kwargs)
            return forces, virials, torch.where(stress.abs() > 1e10, stress, torch.zeros_like(stress))

        return call

    with exchanged(mace.modules.utils, "compute_forces_virials", make):
        yield


@patch
def energies_summed_in(session: Session, dtype: str) -> Iterator[None]:
    """Energies are added over atoms in another type than the model's."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(src: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
            found: torch.Tensor = original(src.to(getattr(torch, dtype)), *args, **kwargs)
            return found.to(src.dtype)

        return call

    with exchanged(mace.modules.models, "scatter_sum", make):
        yield
