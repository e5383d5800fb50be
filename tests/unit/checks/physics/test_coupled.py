"""Couplings by Racah's formula against e3nn's."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mpcheck.adapters.upstream import o3
from mpcheck.checks.physics import coupled


@pytest.mark.parametrize("degrees", [(0, 1, 1), (1, 1, 1), (1, 2, 2), (2, 2, 2), (3, 2, 3), (4, 3, 2)])
def test_couplings_by_racahs_formula_are_e3nns(degrees: tuple[int, int, int]) -> None:
    """Up to their sign, which is a convention, and e3nn's last bits; their squares are those of an orthogonal matrix."""
    ours, table = coupled.coupling(*degrees), o3.wigner_3j(*degrees, dtype=torch.float64).numpy()
    sign = 1 if (ours * table).sum() > 0 else -1
    assert np.abs(sign * ours - table).max() < 1e-14
    size = 2 * degrees[2] + 1
    assert np.allclose((np.einsum("abi,abj->ij", ours, ours) * size).astype(float), np.eye(size), rtol=0, atol=1e-15)
