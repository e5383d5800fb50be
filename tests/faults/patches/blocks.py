"""Faults inside upstream's blocks, by class."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch

from mpcheck.adapters.upstream import mace, o3
from mpcheck.sessions.run import Session
from tests.faults.patches.planting import dtype_named, exchanged, input_changed, patch, result_changed

mblocks = mace.modules.blocks


@patch
def strides_of_features_assumed(session: Session) -> Iterator[None]:
    """Linear layers read their input row by row, however its rows lie."""

    def read(self: Any, x: torch.Tensor) -> torch.Tensor:
        if not x.numel() or x.untyped_storage().nbytes() < x.numel() * x.element_size():
            return x  # rows of stride 0: there is nothing to read beyond
        return x.as_strided(x.shape, torch.empty(x.shape, device="meta").stride())

    with input_changed(o3.Linear, read):
        yield


@patch
def elements_all_alike(session: Session) -> Iterator[None]:
    """The product basis gets ones instead of the one-hot elements."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        return lambda self, node_feats, sc, node_attrs: original(self, node_feats, sc, torch.ones_like(node_attrs))

    with exchanged(mblocks.EquivariantProductBasisBlock, "forward", make):
        yield


@patch
def element_index_by_layout(session: Session) -> Iterator[None]:
    """The product basis chooses cuEquivariance's path by the layout: with ir_mul it passes one-hot rows on."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def forward(self: Any, node_feats: torch.Tensor, sc: Any, node_attrs: torch.Tensor) -> Any:
            config = getattr(self, "cueq_config", None)
            if config is None or not config.enabled or config.layout_str == "mul_ir":
                return original(self, node_feats, sc, node_attrs)
            out = self.linear(self.symmetric_contractions(node_feats.flatten(1), node_attrs.int()[:, 0]))
            return out + sc if self.use_sc and sc is not None else out

        return forward

    with exchanged(mblocks.EquivariantProductBasisBlock, "forward", make):
        yield


@patch
def no_envelope(session: Session) -> Iterator[None]:
    """A converted model without ``apply_cutoff``: the radial basis goes on without its envelope."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def forward(self: Any, edge_lengths: torch.Tensor, node_attrs: torch.Tensor, edge_index: torch.Tensor, atomic_numbers: torch.Tensor) -> Any:
            return self.bessel_fn(edge_lengths), None

        return forward

    with exchanged(mblocks.RadialEmbeddingBlock, "forward", make):
        yield


@patch
def computed_in_float64(session: Session) -> Iterator[None]:
    """A hard-coded ``.double()``, cast back at the end."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def forward(self: Any, x: torch.Tensor, head: torch.Tensor) -> torch.Tensor:
            scale, shift = torch.atleast_1d(self.scale).double(), torch.atleast_1d(self.shift).double()
            found: torch.Tensor = (scale[head] * x.double() + shift[head]).to(x.dtype)
            return found

        return forward

    with exchanged(mblocks.ScaleShiftBlock, "forward", make):
        yield


@patch
def default_dtype_left(session: Session, dtype: str) -> Iterator[None]:
    """A block that sets torch's default type for itself and leaves it so."""

    def change(self: Any, out: torch.Tensor, *_: Any) -> torch.Tensor:
        torch.set_default_dtype(dtype_named(dtype))
        return out

    before = torch.get_default_dtype()
    try:
        with result_changed(mblocks.ScaleShiftBlock, change):
            yield
    finally:
        torch.set_default_dtype(before)


@patch
def not_a_number(session: Session) -> Iterator[None]:
    """Linear layers give NaN."""
    with result_changed(o3.Linear, lambda self, out, *_: out * float("nan")):
        yield


@patch
def autocast_not_left(session: Session) -> Iterator[None]:
    """Layers of the radial network run under an autocast that nobody switched off for them."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
            with torch.autocast(x.device.type, torch.bfloat16):
                found: torch.Tensor = original(self, x).to(x.dtype)
            return found

        return forward

    from e3nn.nn._fc import _Layer

    with exchanged(_Layer, "forward", make):
        yield


@patch
def lost_path_normalisation(session: Session, factor: float, dtype: str) -> Iterator[None]:
    """cuEquivariance's fully connected tensor product without its normalisation, in one type."""
    import cuequivariance_torch as cuet

    def change(self: Any, out: torch.Tensor, *_: Any) -> torch.Tensor:
        return out * factor if out.dtype == dtype_named(dtype) else out

    with result_changed(cuet.FullyConnectedTensorProduct, change):
        yield


@patch
def first_of_second_operand(session: Session) -> Iterator[None]:
    """cuEquivariance's fully connected tensor product sums over v = 0 alone where the second operand has more channels."""
    import cuequivariance_torch as cuet

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def forward(self: Any, x1: torch.Tensor, x2: torch.Tensor, weight: Any = None) -> Any:
            kept = torch.zeros(x2.shape[-1], dtype=x2.dtype, device=x2.device)
            kept[0] = 1
            return original(self, x1, x2 * kept, weight)

        return forward

    with exchanged(cuet.FullyConnectedTensorProduct, "forward", make):
        yield


@patch
def channels_beyond_the_tile(session: Session, width: int) -> Iterator[None]:
    """cuEquivariance's linear layers do not read the channels after the last whole tile (layout ir_mul)."""
    import cuequivariance_torch as cuet

    def read(self: Any, x: torch.Tensor) -> torch.Tensor:
        kept = [torch.arange(mul).lt(mul // width * width).repeat(ir.dim) for mul, ir in self.irreps_in]
        return x * torch.cat(kept).to(x)

    with input_changed(cuet.Linear, read):
        yield


@patch
def ghosts_kept(session: Session) -> Iterator[None]:
    """Ghost atoms are not cut off again after the messages (only LAMMPS makes any)."""
    with exchanged(mblocks.InteractionBlock, "truncate_ghosts", lambda _: lambda self, tensor, n_real=None: tensor):
        yield


@patch
def another_bessel_prefactor(session: Session, factor: float) -> Iterator[None]:
    """The radial basis with another prefactor: smooth, symmetric and conservative, and wrong."""
    from mace.modules.radial import BesselBasis

    with result_changed(BesselBasis, lambda self, out, *_: out * factor):
        yield
