"""Faults of memory layouts: ``[channels, components]`` read as ``[components, channels]``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch

from mpcheck.adapters.upstream import mace, o3
from mpcheck.sessions.run import Session
from tests.faults.patches.planting import exchanged, patch


def _other(x: torch.Tensor, irreps: Any) -> torch.Tensor:
    """ir_mul memory written in mul_ir order, irrep by irrep."""
    parts = []
    for (mul, ir), where in zip(o3.Irreps(str(irreps)), o3.Irreps(str(irreps)).slices(), strict=True):
        parts.append(x[..., where].reshape(*x.shape[:-1], ir.dim, mul).transpose(-1, -2).reshape(*x.shape[:-1], mul * ir.dim))
    return torch.cat(parts, dim=-1)


def channels_of_mul_ir(x: torch.Tensor, muls: Sequence[int], dims: Sequence[int]) -> torch.Tensor:
    """Rows [atoms, irreps] in mul_ir as components and channels [atoms, components, channels], as upstream's reshape_irreps gives them."""
    fields, start = [], 0
    for mul, dim in zip(muls, dims, strict=True):
        fields.append(x[:, start : start + mul * dim].reshape(len(x), mul, dim).transpose(1, 2))
        start += mul * dim
    return torch.cat(fields, dim=-2)


@patch
def first_segment_transposed_alone(session: Session) -> Iterator[None]:
    """cuEquivariance's change of layout leaves all segments but the first two as they are."""
    from cuequivariance_torch.primitives.transpose import TransposeIrrepsLayout

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
            found: torch.Tensor = original(self, x)
            if isinstance(self.f, torch.nn.Identity):
                return found
            # the middle of the tensor on stays as it came: shapes and norms are right
            half = x.shape[-1] // 2
            return torch.cat([found[..., :half], x[..., half:]], dim=-1)

        return forward

    with exchanged(TransposeIrrepsLayout, "forward", make):
        yield


@patch
def reshaped_as_mul_ir(session: Session) -> Iterator[None]:
    """Features in ir_mul are reshaped to channels as if they were in mul_ir."""
    from mace.modules.irreps_tools import reshape_irreps

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def forward(self: Any, tensor: torch.Tensor) -> torch.Tensor:
            config = getattr(self, "cueq_config", None)
            if config is None or config.layout_str == "mul_ir":
                found: torch.Tensor = original(self, tensor)
                return found
            return channels_of_mul_ir(tensor, self.muls, self.dims)

        return forward

    with exchanged(reshape_irreps, "forward", make):
        yield


@patch
def residual_in_the_other_layout(session: Session) -> Iterator[None]:
    """In the non-linear interaction of a cuEquivariance model the residual branch arrives in the other layout."""
    interaction = mace.modules.blocks.RealAgnosticResidualNonLinearInteractionBlock

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def forward(self: Any, *args: Any, **kwargs: Any) -> Any:
            config = getattr(self, "cueq_config", None)
            if config is None or not config.enabled or config.layout_str == "mul_ir":
                return original(self, *args, **kwargs)
            handle = self.linear_res.register_forward_hook(lambda _m, _i, out: _other(out, self.irreps_nonlin))
            try:
                return original(self, *args, **kwargs)
            finally:
                handle.remove()

        return forward

    with exchanged(interaction, "forward", make):
        yield
