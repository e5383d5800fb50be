"""Twins of faults inside upstream's blocks: formulas, fusions and guards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch

from mpcheck.adapters.upstream import mace, o3
from mpcheck.sessions.run import Session
from tests.faults.patches.planting import dtype_named, exchanged, patch, result_changed
from tests.faults.twins.acting import Acts, wide

mblocks = mace.modules.blocks


@patch
def envelope_in_horner_form(session: Session, acts: Acts) -> Iterator[None]:
    """The cut-off polynomial in Horner's form, under ``torch.where`` instead of a product with a mask."""
    from mace.modules.radial import PolynomialCutoff

    def make(_: Callable[..., Any]) -> Callable[..., Any]:
        def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
            acts()
            p = int(self.p)
            t = x / self.r_max
            a, b, c = (p + 1) * (p + 2) / 2, p * (p + 2), p * (p + 1) / 2
            value = 1 - t**p * (a - t * (b - t * c))
            return torch.where(x < self.r_max, value, torch.zeros_like(value))

        return forward

    with exchanged(PolynomialCutoff, "forward", make):
        yield


@patch
def bessel_reassociated(session: Session, acts: Acts) -> Iterator[None]:
    """The radial basis as sin(w r) times (prefactor / r), the prefactor as sqrt(2) / sqrt(r_max)."""
    from mace.modules.radial import BesselBasis

    def make(_: Callable[..., Any]) -> Callable[..., Any]:
        def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
            acts()
            prefactor = (2.0**0.5 / self.r_max.double().sqrt()).to(self.r_max.dtype)
            found: torch.Tensor = torch.sin(self.bessel_weights * x) * (prefactor / x)
            return found

        return forward

    with exchanged(BesselBasis, "forward", make):
        yield


@patch
def bessel_by_sinc(session: Session, acts: Acts) -> Iterator[None]:
    """The radial basis as sqrt(2 / r_max) w sinc(w r / pi), which has a value at r = 0."""
    from mace.modules.radial import BesselBasis

    def make(_: Callable[..., Any]) -> Callable[..., Any]:
        def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
            acts()
            return self.prefactor * self.bessel_weights * torch.sinc(self.bessel_weights * x / torch.pi)  # type: ignore[no-any-return]

        return forward

    with exchanged(BesselBasis, "forward", make):
        yield


@patch
def elements_by_index(session: Session, acts: Acts) -> Iterator[None]:
    """The product basis gets one-hot elements that are made anew from their indices; gradients pass."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def forward(self: Any, node_feats: torch.Tensor, sc: Any, node_attrs: torch.Tensor) -> Any:
            acts()
            made = torch.nn.functional.one_hot(node_attrs.argmax(-1), node_attrs.shape[-1]).to(node_attrs)
            return original(self, node_feats, sc, made + (node_attrs - node_attrs.detach()))

        return forward

    with exchanged(mblocks.EquivariantProductBasisBlock, "forward", make):
        yield


@patch
def element_index_by_position(session: Session, acts: Acts) -> Iterator[None]:
    """The product basis finds the element's index as the position of what is not zero, in layout ir_mul."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def forward(self: Any, node_feats: torch.Tensor, sc: Any, node_attrs: torch.Tensor) -> Any:
            config = getattr(self, "cueq_config", None)
            if config is None or not config.enabled or config.layout_str == "mul_ir":
                return original(self, node_feats, sc, node_attrs)
            acts()
            index = torch.nonzero(node_attrs)[:, 1].int()
            out = self.linear(self.symmetric_contractions(node_feats.flatten(1), index))
            return out + sc if self.use_sc and sc is not None else out

        return forward

    with exchanged(mblocks.EquivariantProductBasisBlock, "forward", make):
        yield


@patch
def scale_and_shift_fused(session: Session, acts: Acts) -> Iterator[None]:
    """Scale and shift in one fused operation: one rounding fewer."""

    def make(_: Callable[..., Any]) -> Callable[..., Any]:
        def forward(self: Any, x: torch.Tensor, head: torch.Tensor) -> torch.Tensor:
            acts()
            return torch.addcmul(torch.atleast_1d(self.shift)[head], torch.atleast_1d(self.scale)[head], x)

        return forward

    with exchanged(mblocks.ScaleShiftBlock, "forward", make):
        yield


@patch
def default_dtype_put_back(session: Session, acts: Acts, dtype: str) -> Iterator[None]:
    """A block that sets torch's default type for itself and puts the old one back."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def forward(self: Any, *args: Any, **kwargs: Any) -> Any:
            acts()
            before = torch.get_default_dtype()
            torch.set_default_dtype(dtype_named(dtype))
            try:
                return original(self, *args, **kwargs)
            finally:
                torch.set_default_dtype(before)

        return forward

    with exchanged(mblocks.ScaleShiftBlock, "forward", make):
        yield


@patch
def padding_not_a_number(session: Session, acts: Acts) -> Iterator[None]:
    """Linear layers pad their result with rows of NaN, which nobody reads."""

    def change(self: Any, out: torch.Tensor, *_: Any) -> torch.Tensor:
        acts()
        padded = torch.cat([out, torch.full_like(out[:1], float("nan"))])
        return padded[: len(out)]

    with result_changed(o3.Linear, change):
        yield


@patch
def autocast_switched_off(session: Session, acts: Acts) -> Iterator[None]:
    """Layers of the radial network switch off the autocast around them."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
            acts()
            with torch.autocast(x.device.type, torch.bfloat16), torch.autocast(x.device.type, enabled=False):
                found: torch.Tensor = original(self, x)
            return found

        return forward

    from e3nn.nn._fc import _Layer

    with exchanged(_Layer, "forward", make):
        yield


@patch
def in_float32_rounded_once(session: Session, acts: Acts, dtype: str) -> Iterator[None]:
    """A fused linear layer: tensors and weights of 16 bits, everything between in float32, one rounding at the end."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def forward(self: Any, features: torch.Tensor, weight: Any = None, bias: Any = None) -> Any:
            if features.dtype != dtype_named(dtype) or weight is not None or bias is not None:
                return original(self, features, weight, bias)
            acts()
            found: torch.Tensor = original(self, wide(features), wide(self.weight), wide(self.bias))
            return found.to(features.dtype)

        return forward

    with exchanged(o3.Linear, "forward", make):
        yield
