"""Rotations and inversion act on irreps as e3nn says they do."""

from __future__ import annotations

import math

import pytest
import torch

from mpcheck.adapters.facts.rotation import Turn, highest, mixed, odd, roundings, transformed
from mpcheck.adapters.slots import PLAIN, Slot
from mpcheck.adapters.upstream import o3

U = 2.0**-53
LIKE = torch.zeros(1)
Q, P = (0.3, -0.5, 0.7, 0.2), (0.9, 0.1, 0.4, -0.3)
MIXED = Slot("2x0e+2x1o+2x2e+2x1e", "flat")
CHANNELS = Slot("4x0e+4x1o+4x2e", "channels")


def product(a: tuple[float, ...], b: tuple[float, ...]) -> tuple[float, float, float, float]:
    w, x, y, z = a
    s, t, u, v = b
    return (w * s - x * t - y * u - z * v, w * t + x * s + y * v - z * u, w * u - x * v + y * s + z * t, w * v + x * u - y * t + z * s)


@pytest.mark.parametrize("l", range(6))
def test_wigner_d_is_orthogonal_a_representation_and_in_e3nns_convention(l: int) -> None:  # noqa: E741
    first, second, both = (Turn(q).matrix(l, 1, LIKE) for q in (Q, P, product(Q, P)))
    assert float((first @ first.T - torch.eye(2 * l + 1)).abs().max()) <= 4 * U, "entries are rounded once"
    assert float((first @ second - both).abs().max()) <= 4 * U * (2 * l + 1)
    upstream = o3.Irrep(l, 1).D_from_matrix(Turn(Q).matrix(1, 1, LIKE))
    assert float((first - upstream).abs().max()) < 1e-13


def test_harmonics_turn_by_it_whatever_the_parity() -> None:
    x = torch.randn(50, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    slot = Slot("1x0e+1x1o+1x2e+1x3o", "flat")
    for turn in (Turn(Q), Turn(Q, inverted=True), Turn(inverted=True)):
        harmonics = [o3.spherical_harmonics("0e+1o+2e+3o", v, normalize=True) for v in (x, turn.vectors(x))]
        assert float((harmonics[1] - transformed(harmonics[0], slot, turn)).abs().max()) < 1e-13


def test_channels_are_flat_irreps_in_another_shape() -> None:
    x = torch.randn(5, 4, 9, dtype=torch.float64)
    turned = transformed(x, CHANNELS, Turn(Q, inverted=True))
    for channel in range(4):
        assert torch.equal(turned[:, channel], transformed(x[:, channel], Slot("0e+1o+2e", "flat"), Turn(Q, inverted=True)))


def test_an_extent_that_is_not_the_declared_one_is_an_error() -> None:
    with pytest.raises(ValueError, match="declared as"):
        transformed(torch.zeros(3, 7, dtype=torch.float64), MIXED, Turn(Q))


def test_mixing_keeps_the_sum_and_does_not_know_the_axes() -> None:
    square = torch.rand(6, 24, dtype=torch.float64)
    even = mixed(square, MIXED)
    torch.testing.assert_close(even.sum(), square.sum())
    assert torch.equal(even[:, 2:4], even[:, 3:5]) and torch.equal(even[:, :2], square[:, :2])
    assert torch.equal(mixed(square, PLAIN), square)


def test_roundings_of_the_transformation_are_what_is_measured() -> None:
    """RMS error of ``D x`` in float64 against forty digits' rounding of the same, over the stated variance: near one, below it."""
    for l in (1, 2, 3):  # noqa: E741
        slot = Slot(f"4096x{l}e", "flat")
        x = torch.randn(1, 4096 * (2 * l + 1), dtype=torch.float64, generator=torch.Generator().manual_seed(l))
        d = Turn(Q).matrix(l, 1, LIKE).double()
        # the same product in twice the precision: each term split by fma-free two-product would do; longdouble is enough on x86
        exact = (x.reshape(-1, 2 * l + 1).numpy().astype("longdouble") @ d.T.numpy().astype("longdouble")).astype("longdouble")
        error = torch.from_numpy((transformed(x, slot, Turn(Q)).reshape(-1, 2 * l + 1).numpy().astype("longdouble") - exact).astype("float64"))
        stated = U * math.sqrt(float((roundings(x, slot) * mixed(x.square(), slot)).mean()) / 3)
        assert 0.1 < float(error.square().mean().sqrt()) / stated <= 1.0


def test_what_slots_declare() -> None:
    assert (highest(MIXED), highest(PLAIN), odd(PLAIN), odd(Slot("3x0e", "flat")), odd(Slot("1x0o", "flat"))) == (2, 0, False, False, True)
