"""Twins of faults of what the whole model gives back."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch

from mpcheck.adapters.upstream import mace
from mpcheck.sessions.run import Session
from tests.faults.patches.outputs import Outputs, _outputs
from tests.faults.patches.planting import exchanged, patch
from tests.faults.twins.acting import Acts, wide


@patch
def virials_of_the_other_sign_twice(session: Session, acts: Acts) -> Iterator[None]:
    """Virials by atom computed from edge forces of the other sign, and given the right one at the end."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            acts()
            virials, stresses = original(*args, **{**kwargs, "edge_forces": -kwargs["edge_forces"]})
            return -virials, None if stresses is None else -stresses

        return call

    with exchanged(mace.modules.models, "get_atomic_virials_stresses", make):
        yield


@patch
def node_energy_put_together_again(session: Session, acts: Acts) -> Iterator[None]:
    """Node energies overwritten by the sum of E0 and what is left without it."""

    def change(self: Any, out: Outputs, e0: torch.Tensor) -> Outputs:
        acts()
        return {"node_energy": torch.stack([out["node_energy"] - e0, e0]).sum(0)}

    with _outputs(change):
        yield


@patch
def e0_taken_off_and_put_on(session: Session, acts: Acts) -> Iterator[None]:
    """E0 is subtracted from node energies in place, and added again in place."""

    def change(self: Any, out: Outputs, e0: torch.Tensor) -> Outputs:
        acts()
        return {"node_energy": out["node_energy"].clone().sub_(e0.detach()).add_(e0.detach())}

    with _outputs(change):
        yield


@patch
def large_stresses_zeroed(session: Session, acts: Acts) -> Iterator[None]:
    """The guard against infinite stresses once more, with its branches exchanged and its comparison turned round."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            acts()
            forces, virials, stress = original(*args, **kwargs)
            return forces, virials, torch.where(stress.abs() >= 1e10, torch.zeros_like(stress), stress)

        return call

    with exchanged(mace.modules.utils, "compute_forces_virials", make):
        yield


def pairwise(x: torch.Tensor) -> torch.Tensor:
    """The sum of a vector, neighbours first, then sums of neighbours; of 16-bit numbers in float32, rounded once."""
    sums = wide(x)
    while len(sums) > 1:
        even = sums if len(sums) % 2 == 0 else torch.cat([sums, sums.new_zeros(1)])
        sums = even[0::2] + even[1::2]
    return sums.sum().to(x.dtype)


class _Exact(torch.autograd.Function):
    """The sum of a vector rounded once, whatever its terms (Shewchuk's algorithm, as ``math.fsum`` has it)."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        ctx.rows = len(x)
        return torch.tensor(math.fsum(x.double().tolist()), dtype=x.dtype, device=x.device)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> torch.Tensor:
        return grad.expand(ctx.rows)


def _summed(acts: Acts, total: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    """Energies [atoms] added by another algorithm, graph by graph; sums of anything else stay upstream's."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(src: torch.Tensor, index: torch.Tensor, dim: int = -1, out: Any = None, dim_size: int | None = None) -> torch.Tensor:
            if src.dim() != 1 or out is not None or dim_size is None or dim_size > len(src):
                found: torch.Tensor = original(src, index, dim, out, dim_size)
                return found
            acts()
            return torch.stack([total(src[index == graph]) for graph in range(dim_size)])

        return call

    return exchanged(mace.modules.models, "scatter_sum", make)


@patch
def energies_summed_pairwise(session: Session, acts: Acts) -> Iterator[None]:
    """Energies are added over atoms pair by pair."""
    with _summed(acts, pairwise):
        yield


@patch
def energies_summed_exactly(session: Session, acts: Acts) -> Iterator[None]:
    """Energies are added over atoms without any error but the last rounding."""
    with _summed(acts, _Exact.apply):
        yield
