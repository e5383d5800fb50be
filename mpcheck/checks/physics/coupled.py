"""Clebsch-Gordan coefficients of real harmonics by Racah's formula, and the tensor products made of them."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from math import factorial
from typing import Any

import numpy as np

from mpcheck.checks.physics.formulae import COMPLEX, WIDE, Array


def _root(square: Fraction) -> Any:
    return np.sqrt(WIDE(square.numerator) / WIDE(square.denominator))


def _symbol(l1: int, l2: int, l3: int, m1: int, m2: int, m3: int) -> Any:
    """Wigner's 3j symbol: Racah, Phys. Rev. 62 (1942) 438, eq. 16; in integers up to one square root."""
    f = factorial
    triangle = Fraction(f(l1 + l2 - l3) * f(l1 - l2 + l3) * f(-l1 + l2 + l3), f(l1 + l2 + l3 + 1))
    product = f(l1 + m1) * f(l1 - m1) * f(l2 + m2) * f(l2 - m2) * f(l3 + m3) * f(l3 - m3)
    total = Fraction(0)
    for t in range(max(0, l2 - l3 - m1, l1 - l3 + m2), min(l1 + l2 - l3, l1 - m1, l2 + m2) + 1):
        total += Fraction((-1) ** t, f(t) * f(l3 - l2 + t + m1) * f(l3 - l1 + t - m2) * f(l1 + l2 - l3 - t) * f(l1 - t - m1) * f(l2 - t + m2))
    sign = (-1) ** abs(l1 - l2 - m3) * (1 if total >= 0 else -1)
    return sign * _root(triangle * product * total * total)


def _real_from_complex(degree: int) -> Array:
    """Real harmonics (sines first, no Condon-Shortley sign) of complex ones: [2l+1, 2l+1]."""
    matrix = np.zeros((2 * degree + 1, 2 * degree + 1), dtype=COMPLEX)
    half = np.sqrt(WIDE(1) / 2)
    matrix[degree, degree] = 1
    for m in range(1, degree + 1):
        matrix[degree + m, degree + m], matrix[degree + m, degree - m] = (-1) ** m * half, half
        matrix[degree - m, degree - m], matrix[degree - m, degree + m] = 1j * half, -1j * (-1) ** m * half
    return matrix


@cache
def coupling(l1: int, l2: int, l3: int) -> Array:
    """The invariant tensor [2*l1+1, 2*l2+1, 2*l3+1] of real harmonics with norm 1, whose sign is a matter of convention."""
    symbols = np.zeros((2 * l1 + 1, 2 * l2 + 1, 2 * l3 + 1), dtype=COMPLEX)
    for m1 in range(-l1, l1 + 1):
        for m2 in range(max(-l2, -l3 - m1), min(l2, l3 - m1) + 1):
            symbols[l1 + m1, l2 + m2, l3 - m1 - m2] = _symbol(l1, l2, l3, m1, m2, -m1 - m2)
    turns = [_real_from_complex(degree).conj() for degree in (l1, l2, l3)]
    turned = np.einsum("ia,jb,kc,abc->ijk", *turns, symbols)
    table: Array = turned.real if np.abs(turned.real).max() > np.abs(turned.imag).max() else turned.imag
    return np.where(np.abs(table) < 1e-15, 0, table)  # far below any coefficient, far above what stands for zero


def tensor_product(
    x: Array, y: Array, weight: Array, irreps: Sequence[Sequence[tuple[int, int]]], paths: Sequence[tuple[int, int, int, int]], mode: str
) -> Array:
    """Weighted sum of couplings: Geiger & Smidt, e3nn (arXiv 2207.09453), eq. 9 with component and element normalisation.

    A path's factor is sqrt((2 l_out + 1) / number of products that enter its output).

    Args:
        x, y: [rows, sum of multiplicity * (2l + 1)]; weight: [paths' weights], or [rows, paths' weights].
        irreps: (multiplicity, l) of x, of y and of the result.
        paths: (in x, in y, in the result, sign of the coupling's convention), in the order of the weights.
        mode: ``uvu`` (the channels of x stay apart) or ``uvw`` (all are mixed).
    """
    first, second, out = irreps
    starts = [np.concatenate([[0], np.cumsum([mul * (2 * degree + 1) for mul, degree in side])]) for side in (first, second)]
    rows = x.shape[0]
    weights = weight.reshape(-1, weight.shape[-1])
    kind = np.result_type(x, y, weight)
    outputs = [np.zeros((rows, mul, 2 * degree + 1), dtype=kind) for mul, degree in out]
    entering = dict.fromkeys(range(len(out)), 0)
    for i, j, k, _ in paths:
        entering[k] += second[j][0] * (first[i][0] if mode == "uvw" else 1)
    used = 0
    for i, j, k, sign in paths:
        (mul1, l1), (mul2, l2), (mul3, l3) = first[i], second[j], out[k]
        shape = (mul1, mul2, mul3) if mode == "uvw" else (mul1, mul2)
        size = int(np.prod(shape))
        w = weights[:, used : used + size].reshape(-1, *shape)
        used += size
        a = x[:, starts[0][i] : starts[0][i + 1]].reshape(rows, mul1, 2 * l1 + 1)
        b = y[:, starts[1][j] : starts[1][j + 1]].reshape(rows, mul2, 2 * l2 + 1)
        table = coupling(l1, l2, l3) * sign * np.sqrt(WIDE(2 * l3 + 1) / WIDE(entering[k]))
        for p, q, r in np.argwhere(table):
            pairs = a[:, :, None, p] * b[:, None, :, q] * table[p, q, r]
            mixed = (pairs * w).sum(2) if mode == "uvu" else np.einsum("nuv,uvw->nw", pairs, w[0])
            outputs[k][:, :, r] += mixed
    return np.concatenate([o.reshape(rows, -1) for o in outputs], axis=1)
