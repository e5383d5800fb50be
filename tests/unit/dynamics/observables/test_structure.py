"""Pair distances: one for independent atoms in any cell, peaks where they are, molecules apart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mpcheck.dynamics.observables.structure import coordination, likeness, molecules, pair_distances
from mpcheck.dynamics.trajectory import Trajectory
from tests.unit.dynamics.samples import gas, trajectory


@pytest.mark.parametrize("reach", [5.0, 14.0])
def test_independent_atoms_have_one_at_every_distance_beyond_the_cell_too(reach: float) -> None:
    one = gas(frames=60, atoms=20, cell=8.0)
    found = pair_distances(one, reach, bins=14)
    assert found.normalised and np.all(np.abs(found.g[3:] - 1.0) < 5 * found.error[3:] + 0.03)
    assert np.average(found.g, weights=found.r**2) == pytest.approx(1.0, abs=0.03)


def test_a_skewed_cell_and_two_kinds() -> None:
    rng = np.random.default_rng(2)
    cell = np.array([[6.0, 0, 0], [3.0, 5.0, 0], [-2.0, 1.0, 7.0]])
    places = rng.uniform(0, 1, (60, 20, 3)) @ cell
    one = replace(gas(frames=60, atoms=20), positions=places, cell=np.broadcast_to(cell, (60, 3, 3)))
    first = np.arange(20) < 5
    found = pair_distances(one, 8.0, bins=8, first=first, second=~first)
    again = pair_distances(one, 8.0, bins=8, first=~first, second=first)
    assert found.g == pytest.approx(again.g) and np.average(found.g, weights=found.r**2) == pytest.approx(1.0, abs=0.03)


def test_a_crystal_has_its_neighbours() -> None:
    grid = 3.0 * np.stack(np.meshgrid(*[np.arange(3)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    rng = np.random.default_rng(0)
    places = grid + rng.normal(0, 0.05, (40, 27, 3))
    found = pair_distances(trajectory(places, np.zeros_like(places), np.ones(27), cell=9.0), 4.0, bins=100)
    place, height = found.peak()
    assert place == pytest.approx(3.0, abs=0.02)
    assert height == pytest.approx(6 / (4 * np.pi * 9 * 26 / 729 * 0.05 * np.sqrt(4 * np.pi)), rel=0.05)
    assert coordination(trajectory(places, np.zeros_like(places), np.ones(27), cell=9.0), 3.6) == pytest.approx(6.0)
    shell = found.g * 4 * np.pi * found.r**2 * (26 / 729) * (found.r[1] - found.r[0])
    assert shell[found.r < 3.6].sum() == pytest.approx(6.0, abs=0.02)


def dimers(cell: float) -> Trajectory:
    """Pairs of atoms 1.1 Å long, twelve of them, far from each other where there is a cell."""
    rng = np.random.default_rng(4)
    centres = 5.0 * np.stack(np.meshgrid([0, 1, 2], [0, 1], [0, 1], indexing="ij"), axis=-1).reshape(-1, 3)
    axes = rng.standard_normal((10, 12, 3))
    ends = 0.55 * axes / np.linalg.norm(axes, axis=-1, keepdims=True)
    places = np.stack([centres + ends, centres - ends], axis=2).reshape(10, 24, 3)
    return trajectory(places, np.zeros_like(places), np.full(24, 14.0), numbers=7, cell=cell)


@pytest.mark.parametrize("cell", [0.0, 15.0])
def test_within_and_between_molecules(cell: float) -> None:
    one = dimers(cell)
    labels = molecules(one)
    assert labels.tolist() == [number // 2 for number in range(24)]
    inner = pair_distances(one, 8.0, labels=labels, within=True)
    outer = pair_distances(one, 8.0, labels=labels)
    whole = pair_distances(one, 8.0)
    assert inner.g + outer.g == pytest.approx(whole.g) and whole.normalised == (cell > 0)
    assert inner.r[inner.g > 0] == pytest.approx(1.1, abs=0.05) and outer.r[outer.g > 0].min() > 3.0


def test_without_a_cell_pairs_are_counted() -> None:
    found = pair_distances(dimers(0.0), 2.0, bins=20)
    assert not found.normalised and found.g.sum() * 0.1 == pytest.approx(24.0)


def test_a_slab_is_counted_and_sees_its_images() -> None:
    one = dimers(15.0)
    slab = replace(one, pbc=np.array([True, True, False]), cell=one.cell * np.array([1.0, 1.0, 0.0])[:, None])
    found = pair_distances(slab, 12.0)
    assert not found.normalised and found.g.sum() > pair_distances(dimers(0.0), 12.0).g.sum()


def test_two_gases_are_alike_up_to_noise_and_a_moved_peak_is_not() -> None:
    one, other = (pair_distances(gas(seed, frames=50), 5.0, bins=40) for seed in (0, 1))
    same = likeness(one, other)
    assert same.score == pytest.approx(same.noise, rel=0.5) and likeness(one, one).score == 0.0
    near = pair_distances(dimers(15.0), 5.0, bins=40)
    assert likeness(near, one).score > 0.8
    with pytest.raises(ValueError, match="other bins"):
        likeness(one, pair_distances(gas(), 4.0, bins=40))


def test_neighbours_of_a_kind() -> None:
    one = dimers(15.0)
    first = np.arange(24) % 2 == 0
    assert coordination(one, 1.2, first, ~first) == pytest.approx(1.0) and coordination(one, 1.2, first, first) == pytest.approx(0.0)
    with pytest.raises(ValueError, match="no atom"):
        coordination(one, 1.2, first & ~first)


def test_no_pair_is_refused() -> None:
    with pytest.raises(ValueError, match="no pair"):
        pair_distances(gas(), 3.0, first=np.arange(40) == 0, second=np.arange(40) == 0)
    with pytest.raises(ValueError, match="fewer than 50 parts"):
        pair_distances(gas(), 3.0, parts=50)
