"""Distances are those of a neighbour list."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.neighborlist import neighbor_list
from hypothesis import given, settings
from hypothesis import strategies as st

from mpcheck.systems.spacing import coincident, edges


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_edges_and_coincident_atoms_are_those_of_a_neighbour_list(data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    pbc = data.draw(st.tuples(st.booleans(), st.booleans(), st.booleans()))
    cell = np.diag(rng.uniform(1.5, 6.0, 3)) + rng.uniform(-1.0, 1.0, (3, 3)) * data.draw(st.sampled_from([0.0, 0.3]))
    frame = Atoms(f"H{data.draw(st.integers(1, 12))}", cell=cell, pbc=pbc)
    frame.positions = rng.uniform(-3.0, 9.0, (len(frame), 3))
    assert edges(frame, 3.0) == len(neighbor_list("i", frame, 3.0))
    close = data.draw(st.sampled_from([0.1, 0.5, 1.0]))
    expected = {(min(i, j), max(i, j)) for i, j in zip(*neighbor_list("ij", frame, close), strict=True)}
    found = coincident(frame, close)
    assert found in expected if expected else found is None
