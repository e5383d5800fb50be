"""Formulae by numpy against scipy's."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.special

from mpcheck.checks.physics import formulae


@pytest.mark.parametrize("normalization", ["norm", "component", "integral"])
def test_harmonics_are_scipys(normalization: str) -> None:
    """Against scipy's complex harmonics: e3nn's axes (y, z, x) are the usual (x, y, z), and real forms carry no (-1)^m."""
    vectors = np.random.default_rng(0).normal(size=(20, 3))
    top = 6
    found = formulae.spherical_harmonics(vectors.astype(formulae.WIDE), range(top + 1), True, normalization).astype(float)
    second, polar, first = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).T
    theta, phi = np.arccos(polar), np.arctan2(second, first)
    column = 0
    for degree in range(top + 1):
        size = {"integral": 1.0, "norm": np.sqrt(4 * np.pi / (2 * degree + 1)), "component": np.sqrt(4 * np.pi)}[normalization]
        for m in range(-degree, degree + 1):
            usual = scipy.special.sph_harm_y(degree, abs(m), theta, phi)
            real = usual.real if m == 0 else np.sqrt(2) * (-1) ** m * (usual.imag if m < 0 else usual.real)
            assert np.allclose(found[:, column], size * real, rtol=0, atol=1e-13)
            column += 1
