"""Neighbours along axes and in planes, where formulae switch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from mpcheck.adapters.upstream import mace, o3
from mpcheck.checks.physics.directions import labels
from mpcheck.checks.physics.small import TILT
from mpcheck.sessions.run import Session
from tests.faults.patches import PATCHES
from tests.faults.patches.planting import exchanged, result_changed
from tests.unit.checks.physics.judging import assert_green, assert_red


def test_labels() -> None:
    rows = [[0, 2, 0], [0, 0, -1], [1, 1, 0], [0, 3, -2], [2, -2, 2], [1, TILT, -TILT], [1, 2, 3]]
    wanted = ["along +y", "along -z", "in the xy plane", "in the yz plane", "along a body diagonal", "nearly along an axis", ""]
    assert labels(torch.tensor(rows, dtype=torch.float64)) == wanted


def test_harmonics_along_one_axis(run: Session, clean: Any) -> None:
    fault = PATCHES["harmonics_gradient_along_the_axis"](run)
    assert_red(run, clean, fault, "directions", ("float64", "blocks"), "spherical_harmonics: its gradient by x is not finite", "along +y, along -y")
    assert_red(
        run, clean, PATCHES["harmonics_gradient_along_the_axis"](run), "directions", ("float64", "coordinate axes"), "spherical_harmonics: forces"
    )


class _ZerosLeftOut(torch.autograd.Function):
    """The identity, whose gradient is lost where the value is zero: a kernel that leaves out products with zero."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x)
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> torch.Tensor:
        return grad * (ctx.saved_tensors[0] != 0)


def test_products_with_zero_left_out(run: Session, clean: Any) -> None:
    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def forward(self: Any, x: torch.Tensor, y: torch.Tensor, *weight: Any, **named: Any) -> Any:
            return original(self, x, _ZerosLeftOut.apply(y) if type(self) is o3.TensorProduct else y, *weight, **named)

        return forward

    fault = exchanged(o3.TensorProduct, "forward", make)
    assert_red(
        run, clean, fault, "directions", ("float64", "blocks"), "conv_tp: its gradient is", "along +x", "in the xy plane", "so does interactions."
    )


def test_edge_vectors_in_a_plane(run: Session, clean: Any) -> None:
    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            vectors, lengths = original(*args, **kwargs)
            return _ZerosLeftOut.apply(vectors), lengths

        return call

    fault = exchanged(mace.modules.utils, "get_edge_vectors_and_lengths", make)
    assert_red(run, clean, fault, "directions", ("float64", "blocks"), "edge_vectors: its gradient is", "in the xz plane")


def test_a_length_that_is_not_differentiable_along_one_axis(run: Session, clean: Any) -> None:
    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            vectors, _ = original(*args, **kwargs)
            return vectors, (vectors[:, :2].square().sum(1, keepdim=True).sqrt().square() + vectors[:, 2:].square()).sqrt()

        return call

    fault = exchanged(mace.modules.utils, "get_edge_vectors_and_lengths", make)
    assert_red(run, clean, fault, "directions", ("float64", "blocks"), "edge_vectors: its gradient by shifts is not finite for 2 edges along +z")


def test_a_basis_that_is_not_differentiated(run: Session, clean: Any) -> None:
    fault = result_changed(mace.modules.radial.BesselBasis, lambda self, out, *_: out.detach())
    assert_red(run, clean, fault, "directions", ("float64", "body diagonals"), "radial_embedding.bessel_fn: forces")


def test_a_root_that_is_kept_from_zero_is_green(run: Session) -> None:
    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
            square = x[..., 0].square() + x[..., 2].square()
            return original(self, x) + 0.0 * torch.where(square > 0, square, torch.ones_like(square)).sqrt().unsqueeze(-1)

        return forward

    assert_green(run, exchanged(o3.SphericalHarmonics, "forward", make), "directions")


def test_a_gradient_that_is_none_is_named(run: Session, clean: Any) -> None:
    fault = result_changed(o3.SphericalHarmonics, lambda self, out, *_: out.detach())
    assert_red(run, clean, fault, "directions", ("float64", "blocks"), "spherical_harmonics: its gradient by x is missing (None)")
