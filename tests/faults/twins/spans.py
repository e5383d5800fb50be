"""Twins of faults of memory: strides, layouts, tiles and rows, moved about without touching a number."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch

from mpcheck.adapters.upstream import mace, o3
from mpcheck.sessions.run import Session
from tests.faults.patches.layouts import channels_of_mul_ir
from tests.faults.patches.planting import exchanged, input_changed, patch
from tests.faults.twins.acting import Acts


def turned(irreps: Any, inverse: bool = False) -> torch.Tensor:
    """Where each number of a row in ir_mul comes from in mul_ir, all irreps [dim]; the other way round with ``inverse``."""
    places, start = [], 0
    for mul, ir in irreps:
        dim = int(ir.dim)
        shape = (dim, mul) if inverse else (mul, dim)
        places.append(start + torch.arange(mul * dim).reshape(shape).T.flatten())
        start += mul * dim
    return torch.cat(places)


@patch
def features_copied(session: Session, acts: Acts) -> Iterator[None]:
    """Linear layers copy their input row by row, by its own strides."""

    def read(self: Any, x: torch.Tensor) -> torch.Tensor:
        acts()
        return x.clone(memory_format=torch.contiguous_format)

    with input_changed(o3.Linear, read):
        yield


@patch
def all_segments_by_index(session: Session, acts: Acts) -> Iterator[None]:
    """cuEquivariance's change of layout as one gather over all segments."""
    from cuequivariance_torch.primitives.transpose import TransposeIrrepsLayout

    def remember(original: Callable[..., Any]) -> Callable[..., Any]:
        def init(self: Any, irreps: Any, *, source: Any, target: Any, **kwargs: Any) -> None:
            original(self, irreps, source=source, target=target, **kwargs)
            if not isinstance(self.f, torch.nn.Identity):
                self.__dict__["places"] = turned(irreps, inverse="ir_mul" in str(source))

        return init

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
            if "places" not in self.__dict__:
                found: torch.Tensor = original(self, x)
                return found
            acts()
            return x.index_select(-1, self.places.to(x.device))

        return forward

    with exchanged(TransposeIrrepsLayout, "__init__", remember), exchanged(TransposeIrrepsLayout, "forward", make):
        yield


@patch
def reshaped_by_way_of_mul_ir(session: Session, acts: Acts) -> Iterator[None]:
    """Features in ir_mul are reshaped to channels by way of mul_ir, and turned back."""
    from mace.modules.irreps_tools import reshape_irreps

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def forward(self: Any, tensor: torch.Tensor) -> torch.Tensor:
            config = getattr(self, "cueq_config", None)
            if config is None or config.layout_str == "mul_ir":
                found: torch.Tensor = original(self, tensor)
                return found
            acts()
            there = tensor.index_select(-1, turned(self.irreps, inverse=True).to(tensor.device))
            return channels_of_mul_ir(there, self.muls, self.dims)

        return forward

    with exchanged(reshape_irreps, "forward", make):
        yield


@patch
def residual_to_the_other_layout_and_back(session: Session, acts: Acts) -> Iterator[None]:
    """In the non-linear interaction of a cuEquivariance model the residual branch goes to the other layout and back."""
    interaction = mace.modules.blocks.RealAgnosticResidualNonLinearInteractionBlock

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def forward(self: Any, *args: Any, **kwargs: Any) -> Any:
            config = getattr(self, "cueq_config", None)
            if config is None or not config.enabled or config.layout_str == "mul_ir":
                return original(self, *args, **kwargs)
            acts()
            places = turned(self.irreps_nonlin, inverse=True)
            back = torch.argsort(places)
            handle = self.linear_res.register_forward_hook(lambda _m, _i, out: out[..., places][..., back])
            try:
                return original(self, *args, **kwargs)
            finally:
                handle.remove()

        return forward

    with exchanged(interaction, "forward", make):
        yield


@patch
def channels_by_tiles_and_their_rest(session: Session, acts: Acts, width: int) -> Iterator[None]:
    """cuEquivariance's linear layers read their channels tile by tile, the last one as wide as it is (layout ir_mul)."""
    import cuequivariance_torch as cuet

    def read(self: Any, x: torch.Tensor) -> torch.Tensor:
        acts()
        tiles, start = [], 0
        for mul, ir in self.irreps_in:
            for _ in range(ir.dim):
                tiles += list(x[..., start : start + mul].split(width, dim=-1))
                start += mul
        return torch.cat(tiles, dim=-1)

    with input_changed(cuet.Linear, read):
        yield


@patch
def ghosts_narrowed(session: Session, acts: Acts) -> Iterator[None]:
    """Ghost atoms are cut off by ``narrow`` instead of by a slice."""

    def make(_: Any) -> Any:
        def call(self: Any, tensor: torch.Tensor, n_real: int | None = None) -> torch.Tensor:
            acts()
            return tensor if n_real is None else tensor.narrow(0, 0, n_real)

        return call

    with exchanged(mace.modules.blocks.InteractionBlock, "truncate_ghosts", make):
        yield
