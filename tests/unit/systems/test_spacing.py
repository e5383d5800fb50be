"""Distances are those of a neighbour list."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.neighborlist import neighbor_list
from hypothesis import given, settings
from hypothesis import strategies as st

from mpcheck.systems.spacing import coincident, edges, heights, images


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


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_equivalent_cells_and_moved_atoms_are_the_same_structure(data: st.DataObject) -> None:
    """Skew cells, atoms in other cells and far offsets: the same edges, the same coincident atoms, as few images."""
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    pbc = data.draw(st.sampled_from([(True, True, True), (True, True, False), (False, True, False)]))
    cell = np.diag(rng.uniform(2.5, 6.0, 3)) + rng.uniform(-0.5, 0.5, (3, 3))
    frame = Atoms("H6", rng.uniform(0.0, 3.0, (6, 3)), cell=cell, pbc=pbc)
    other = frame.copy()
    for i, j in ((0, 1), (1, 2), (2, 0)):
        if pbc[i] and pbc[j]:
            cell[i] += data.draw(st.integers(-40, 40)) * cell[j]
    other.set_cell(cell)
    shifts = rng.integers(-9, 10, (6, 3)) * np.array(pbc)
    other.positions += shifts @ frame.cell.array + data.draw(st.sampled_from([0.0, 1e5, -1e5]))
    assert edges(other, 3.0) == edges(frame, 3.0)
    assert (coincident(other, 0.7) is None) == (coincident(frame, 0.7) is None)
    assert images(other, 3.0) < 1.01 * images(frame, 3.0) * (heights(frame).min() / heights(other).min()) ** 3


def test_atoms_that_coincide_by_the_thousand_make_no_images() -> None:
    frame = Atoms("H20000", np.tile([[1e6, 1e6, 1e6]], (20_000, 1)), cell=np.eye(3) * 0.2, pbc=True)
    assert coincident(frame, 0.1) is not None
