"""The independent list is that of brute force, in any cell."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from ase import Atoms
from hypothesis import given, settings
from hypothesis import strategies as st

from mpcheck.systems.neighbours import neighbours

R_MAX = 3.0


def brute_force(frame: Atoms, reach: int) -> set[tuple[int, ...]]:
    """Every pair in so many cells around."""
    spans = [range(-reach, reach + 1) if p else range(1) for p in frame.pbc]
    found = set()
    for shift in product(*spans):
        away = frame.positions[None] - frame.positions[:, None] + np.array(shift) @ frame.cell.array
        near = np.argwhere(np.linalg.norm(away, axis=2) < R_MAX)
        found |= {(int(i), int(j), *shift) for i, j in near if i != j or any(shift)}
    return found


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_neighbours_are_those_of_brute_force(data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    pbc = data.draw(st.tuples(st.booleans(), st.booleans(), st.booleans()))
    frame = Atoms(f"H{data.draw(st.integers(1, 4))}", cell=np.diag(rng.uniform(1.5, 4.0, 3)) + rng.uniform(-0.4, 0.4, (3, 3)), pbc=pbc)
    frame.positions = rng.uniform(-3.0, 5.0, (len(frame), 3))
    found = neighbours(frame, R_MAX)
    listed = list(zip(found.sender, found.receiver, *found.shifts.T, strict=True))
    assert len(set(listed)) == len(listed)
    assert {tuple(map(int, edge)) for edge in listed} == brute_force(frame, 9)
    vectors = frame.positions[found.receiver] - frame.positions[found.sender] + found.shifts @ frame.cell.array
    assert np.allclose(found.vectors.astype(float), vectors, rtol=0, atol=1e-12)


@pytest.mark.parametrize("skew", [1, -7, 100])
def test_shifts_are_in_units_of_the_cell_as_it_is_given(skew: int) -> None:
    cell = np.diag([3.0, 3.2, 2.8])
    cell[1] += skew * cell[0]
    frame = Atoms("H2", [[0.1, 0.2, 0.3], [50.0, -40.0, 1.0]], cell=cell, pbc=True)
    found = neighbours(frame, R_MAX)
    lengths = np.linalg.norm(frame.positions[found.receiver] - frame.positions[found.sender] + found.shifts @ cell, axis=1)
    assert len(lengths) > 10 and lengths.max() < R_MAX
