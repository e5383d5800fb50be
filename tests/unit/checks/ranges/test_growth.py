"""Laws of growth: what is said is what follows, no more."""

from __future__ import annotations

import pytest
import torch
from ase import Atoms

from mpcheck.checks.ranges import growth as module
from mpcheck.checks.ranges.growth import Growth, allowed, atoms_of, growth, known, more_atoms, more_neighbours, reach


def test_laws() -> None:
    assert growth({1: 3.0, 2: 6.0, 4: 12.0}).power == 1.0
    assert growth({1: 3.0, 2: 3.0, 4: 3.001}).power == 0.0
    assert growth({1: 1.0, 2: 8.0, 3: 27.0, 4: 64.0}).power == 3.0
    assert growth({1: 1.0, 2: 2.0**0.5, 4: 2.0}).power == pytest.approx(0.5)


@pytest.mark.parametrize(
    "sizes",
    [
        {1: 1.0, 2: 2.0, 4: 16.0},
        {1: 1.0, 2: 2.0**12, 3: 1.03 * 3.0**12},
        {1: 2.0, 2: 1.0, 4: 0.5},
        {1: 1.0, 2: 2.0},
        {1: 0.0, 2: 1.0, 4: 2.0},
        {1: 1.0},
    ],
)
def test_what_follows_no_law_has_none(sizes: dict[int, float]) -> None:
    found = growth(sizes)
    assert found.power is None and found.ends(max(sizes[1], 1e-3), 1e9) == (None, 0.0)


def test_ends() -> None:
    assert Growth(1.0, {}).ends(10.0, 65504.0) == pytest.approx((6550.4, 6550.4))
    assert Growth(2.0, {}).ends(1.0, 100.0)[0] == pytest.approx(10.0)
    assert Growth(0.0, {}).ends(10.0, 65504.0) == (None, 0.0)
    assert Growth(None, {1: 1.0, 2: 8.0, 3: 200.0, 4: 900.0}).ends(1.0, 100.0) == (3.0, 2.0)
    assert Growth(None, {1: 1.0, 2: 8.0, 3: 20.0}).ends(1.0, 100.0) == (None, 0.0)
    assert Growth(1.0, {}).ends(200.0, 100.0) == (1.0, 0.0)
    assert Growth(1.0, {}).ends(0.0, 100.0) == (None, 0.0)
    assert Growth(0.02, {}).ends(1e-300, 1e300) == (None, 0.0)  # no such structure
    found = reach("atoms", 33.0, 10.0, 100.0, Growth(1.0, {}))
    assert (found.end, found.within, found.now, found.power) == (pytest.approx(330.0), pytest.approx(330.0), 33.0, 1.0)


def test_only_sums_of_energies_are_known() -> None:
    assert known("energy_sum@2", "out") and known("model", "out.energy")
    assert not known("model", "out.node_energy") and not known("energy_sum", "in.src") and not known("interactions.0.scatter", "out")


def test_larger_structures() -> None:
    crystal = Atoms("HO", [[0, 0, 0], [1, 1, 1]], cell=[3, 4, 5], pbc=[False, True, False], info={"total_charge": -1.0})
    molecule = Atoms("HO", [[0, 0, 0], [1, 1, 1]])
    large, apart = more_atoms([crystal, molecule], 3, r_max=4.0)
    assert len(large) == 6 and large.cell[1][1] == 12.0 and large.cell[0][0] == 3.0 and large.info["total_charge"] == -3.0
    distances = apart.get_all_distances()
    assert len(apart) == 6 and min(distances[i][j] for i in range(2) for j in range(2, 6)) > 4.0
    assert len(crystal) == len(molecule) == 2


def test_edges_again_and_again() -> None:
    graph = {"edge_index": torch.tensor([[0, 1], [1, 0]]), "shifts": torch.ones(2, 3), "positions": torch.zeros(2, 3)}
    many = more_neighbours(graph, 3)
    assert torch.bincount(many["edge_index"][1]).tolist() == [3, 3] and many["shifts"].shape == (6, 3) and many["positions"] is graph["positions"]


def test_only_as_large_as_can_be_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert allowed(100, (2, 3, 4)) == [2, 3, 4]
    monkeypatch.setattr(module, "MOST_BYTES", 300)
    assert allowed(100, (2, 3, 4)) == [2, 3]
    monkeypatch.setattr(module, "MOST_BYTES", 250)
    assert allowed(100, (2, 3, 4)) == []  # two sizes tell no law


def test_a_structures_own_atoms_where_rows_are_structures() -> None:
    assert atoms_of([3, 5], [2], 1) == 5.0 and atoms_of([3, 5], [8, 4], 1) == 8.0 and atoms_of([8], [1], 0) == 8.0 and atoms_of([3, 5], [], 0) == 8.0
