"""Two atoms over their distance."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
import torch

from mpcheck.policy.evaluation import Evaluation
from mpcheck.policy.judging.diatomics import MOST_PAIRS, Roughness, diatomic_set, roughness
from mpcheck.policy.judging.reference import whole_reference
from mpcheck.policy.judging.structures import Sets
from tests.unit.policy.judged_samples import small, water


@cache
def scans() -> Sets:
    """Of the small model."""
    return Sets((diatomic_set(water(), small().elements, small().r_max)[0],))


@cache
def exact() -> Evaluation:
    """Float64."""
    return whole_reference(small(), scans(), in_process=True).evaluation


def changed() -> Evaluation:
    """A copy to write into."""
    e = exact()
    return replace(e, energy=e.energy.clone(), forces=e.forces.clone())


def of(found: Evaluation) -> dict[str, Roughness]:
    """By pair."""
    return {r.pair: r for r in roughness(found, exact(), scans())}


def test_every_pair_once_from_collision_to_cut_off() -> None:
    """The structure's own elements first; pairs that are left out are said."""
    assert set(of(exact())) == {"H-H", "H-O", "O-O"}
    distances = [f.get_distance(0, 1) for f in scans().frames[:60]]
    assert distances[0] == pytest.approx(0.6 * 0.62) and distances[-1] == pytest.approx(small().r_max)
    many, notes = diatomic_set(water(), ["Fe", "H", "C", "O", "N"], 5.0)
    pairs = list(dict.fromkeys("".join(f.get_chemical_symbols()) for f in many.frames))
    assert len(pairs) == MOST_PAIRS and pairs[:3] == ["HH", "HO", "OO"] and "6 of 15" in notes[0]


def test_smooth_is_smooth() -> None:
    """Float64 against itself."""
    for found in of(exact()).values():
        assert found.energy_jump_meV == found.force_worst_meV_per_A == 0.0
        assert found.extra_sign_changes == found.turned == 0 and not found.absent


def test_a_step_of_the_energy_and_a_turned_force() -> None:
    """Of one pair alone, with its place and size."""
    found, start = changed(), 60
    found.energy[start + 20 : start + 60] += 0.005
    pair = scans().labels[start].split(" ")[0]
    assert of(found)[pair].energy_jump_meV == pytest.approx(5.0)
    assert of(found)[pair].jump_at_A == pytest.approx(scans().frames[start + 19].get_distance(0, 1))
    found.forces[2 * (start + 3) : 2 * (start + 4)] *= -1.0
    assert of(found)[pair].turned == 1 and of(found)[pair].extra_sign_changes == 2
    assert of(found)[pair].turned_largest_meV_per_A == pytest.approx(1000 * float(exact().forces[2 * (start + 3)].norm()))
    assert sum(r.energy_jump_meV == 0.0 for r in of(found).values()) == 2


def test_a_value_that_is_no_number_leaves_no_figure() -> None:
    """And says whose it is."""
    found = changed()
    found.forces[0, 0] = torch.nan
    assert of(found)["H-H"].absent.startswith("the policy") and of(found)["H-H"].energy_jump_meV is None
