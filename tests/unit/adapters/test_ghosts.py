"""Ghost atoms stand for their owners, and their exchange is its own transpose."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from ase import Atoms

from mpcheck.adapters import ghosts as fake
from mpcheck.adapters.graph import make_graph


@pytest.mark.parametrize("cell", [None, [3.0, 3.2, 3.4]])
def test_ghosts_stand_for_their_owners(cell: list[float] | None) -> None:
    rng = np.random.default_rng(4)
    frame = Atoms("OH2CH3", rng.uniform(0, 3, (7, 3)), cell=cell, pbc=cell is not None)
    graph = make_graph([frame], ["H", "C", "O"], 2.5)
    domains = fake.with_ghosts(graph)
    assert domains.ghosts > 0
    assert torch.equal(domains.owner[domains.sender], graph["edge_index"][0])
    assert torch.equal(domains.receiver, graph["edge_index"][1])
    assert int(domains.receiver.max()) < domains.local
    assert torch.equal(domains.node_attrs[domains.local :], graph["node_attrs"][domains.owner[domains.local :]])
    inside = (domains.sender < domains.local) & graph["unit_shifts"].ne(0).any(1)
    assert not bool(inside.any()), "a periodic image is no local atom"
    if cell is not None:
        assert torch.unique(domains.owner[domains.local :]).numel() == 7


def test_reverse_exchange_is_the_transpose_of_the_forward_one() -> None:
    """<g, F x> = <R g, x> for local features x, as the gradient of a copy requires."""
    rng = np.random.default_rng(1)
    graph = make_graph([Atoms("OH2CH3", rng.uniform(0, 3, (7, 3)), cell=[3.0, 3.2, 3.4], pbc=True)], ["H", "C", "O"], 2.5)
    data = fake.FakeLammps(fake.with_ghosts(graph))
    x, g = (torch.randn(data.ntotal, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(i)) for i in range(2))
    forward, back = torch.empty_like(x), torch.empty_like(g)
    data.forward_exchange(x, forward, 5)
    data.reverse_exchange(g, back, 5)
    local = data.nlocal
    assert float((g * forward).sum()) == pytest.approx(float((back[:local] * x[:local]).sum()), rel=1e-12)
