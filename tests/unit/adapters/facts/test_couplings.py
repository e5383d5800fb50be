"""Exact coupling tables are isometries."""

from __future__ import annotations

import torch

from mpcheck.adapters.facts.couplings import coupling, repaired, triangles
from mpcheck.adapters.upstream import o3

U = 2.0**-53


def test_exact_tables_are_isometries_and_replace_only_e3nns() -> None:
    for a, b, c in triangles(3):
        table = coupling(a, b, c).table
        gram = torch.einsum("ijm,ijn->mn", table, table) * (2 * c + 1)
        assert float((gram - torch.eye(2 * c + 1)).abs().max()) < 8 * U
        assert coupling(a, b, c).error < 100, "another table altogether"
        assert torch.equal(repaired(o3.wigner_3j(a, b, c, dtype=torch.float64)), table)
    other = torch.rand(3, 3, 3, dtype=torch.float64)
    assert repaired(other) is other
