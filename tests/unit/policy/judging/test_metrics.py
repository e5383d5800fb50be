"""Errors against float64: by hand, and where there is nothing to divide by."""

from __future__ import annotations

import math
import statistics
from dataclasses import asdict, replace
from typing import Any

import pytest
import torch

from mpcheck.policy.evaluation import Evaluation
from mpcheck.policy.judging.batches import selected
from mpcheck.policy.judging.force_tests import ForceTests, force_tests
from mpcheck.policy.judging.metrics import SetErrors, Spread, set_errors, spread
from mpcheck.policy.judging.structures import JUDGED
from tests.unit.policy.judged_samples import exact, judged_by, reference, sets


def errors(found: Evaluation, right: Evaluation | None = None, judged: ForceTests | None = None) -> SetErrors:
    """Over the structures that are judged."""
    return set_errors(found, right or reference().evaluation, sets(), sets().places(*JUDGED), judged or judged_by())


def figures(value: Any) -> list[float]:
    """Every number in a report."""
    if isinstance(value, dict):
        return [n for v in value.values() for n in figures(v)]
    return [value] if isinstance(value, float) else []


def test_the_same_values_have_no_error() -> None:
    """Every figure is zero, cosines are one."""
    found = errors(exact())
    assert found.energy_meV_per_atom.worst == found.force_meV_per_A.worst == found.stress_GPa.worst == found.force_rms_meV_per_A == 0.0
    assert found.cosine_worst == pytest.approx(1.0, abs=1e-14)
    assert found.nonfinite == {"energy": 0, "interaction": 0, "forces": 0, "stress": 0}


def test_equations_of_the_thesis() -> None:
    """AE_E, RAE_E, AE_F, RAE_F of each structure from their definitions."""
    found, right = exact(), reference().evaluation
    generator = torch.Generator().manual_seed(1)
    found.energy.add_(torch.randn(found.energy.shape, generator=generator, dtype=torch.float64))
    found.forces.add_(torch.randn(found.forces.shape, generator=generator, dtype=torch.float64))
    by_hand: dict[str, list[float]] = {"ae": [], "rae": [], "af": [], "raf": []}
    for place in sets().places(*JUDGED):
        a, b = selected(found, [place]), selected(right, [place])
        by_hand["ae"].append(abs(float(a.energy - b.energy)) / len(b.forces) * 1000)
        by_hand["rae"].append(abs(float(a.energy - b.energy)) / abs(float(b.energy)))
        by_hand["af"].append(sum(math.dist(x, y) for x, y in zip(a.forces.tolist(), b.forces.tolist(), strict=True)) / len(b.forces) * 1000)
        by_hand["raf"].append(float((a.forces - b.forces).norm() / b.forces.norm()))
    got = errors(found)
    for spread_, name in zip((got.energy_meV_per_atom, got.energy_relative, got.force_meV_per_A, got.force_relative), by_hand, strict=True):
        own = sorted(by_hand[name])
        assert spread_.mean == pytest.approx(sum(own) / len(own))
        assert spread_.p95 == pytest.approx(statistics.quantiles(own, n=20, method="inclusive")[-1])
        assert spread_.worst == pytest.approx(own[-1])


def test_interaction_energy_is_apart() -> None:
    """An error of the total alone leaves it as it is."""
    found = exact()
    found.energy.add_(1.0)
    got = errors(found)
    assert got.interaction_meV_per_atom.worst == 0.0 < (got.energy_meV_per_atom.mean or 0.0)


def test_a_turned_force_is_the_worst_atom() -> None:
    """Its structure, number and element are named, its cosine is -1."""
    found, place = exact(), sets().places("rattled")[2]
    row = int(torch.nonzero(found.batch == place)[4])
    found.forces[row] *= -1.0
    got = errors(found)
    assert got.worst_atom is not None and got.cosine_worst == pytest.approx(-1.0)
    assert (got.worst_atom.place, got.worst_atom.atom, got.worst_atom.element) == (place, 4, sets().frames[place][4].symbol)
    assert got.worst_atom.error_meV_per_A == pytest.approx(2000 * float(reference().evaluation.forces[row].norm()))


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_values_that_are_no_numbers_take_the_figure_away(value: float) -> None:
    """One structure of many: no mean is made of the others, and they are counted."""
    found, place = exact(), sets().places("rattled")[0]
    found.forces[int(torch.nonzero(found.batch == place)[0])] = value
    found.energy[place] = value
    got = errors(found)
    assert got.force_meV_per_A.mean is None and got.energy_meV_per_atom.p95 is None and got.force_rms_meV_per_A is None
    assert got.nonfinite["forces"] == got.nonfinite["energy"] == 1 and "1 of" in got.force_meV_per_A.absent
    assert got.cosine_mean is None and got.worst_atom is not None
    assert all(map(math.isfinite, figures(asdict(got))))


def test_a_stress_that_upstream_writes_zero_for_is_no_number() -> None:
    """Whatever the forces are; a single component where they are none, too."""
    found, place = exact(), sets().places("own")[0]
    right = found.stress[place].clone()
    found.stress[place] = 0.0
    assert errors(found).nonfinite["stress"] == 1 and errors(found).stress_GPa.worst is None
    largest = divmod(int(right.abs().argmax()), 3)
    found.stress[place] = right
    found.stress[place][largest] = 0.0
    assert errors(found).nonfinite["stress"] == 0 and (errors(found).stress_GPa.worst or 0.0) > 0.0, "16 bits may round to zero"
    found.forces[int(torch.nonzero(found.batch == place)[0])] = torch.nan
    assert errors(found).nonfinite["stress"] == 1 and errors(found).stress_GPa.worst is None


def test_nothing_is_divided_by_next_to_nothing() -> None:
    """Energies of zero and forces of zero: absolute figures stay, relative ones are absent with a reason."""
    right = exact()
    right.energy.zero_()
    right.forces.mul_(1e-9)
    found = replace(right, energy=right.energy + 0.01, forces=right.forces + 0.01)
    judged = force_tests(sets(), replace(reference().evaluation, forces=right.forces))
    got = errors(
        found, right, judged if judged.refused else ForceTests((1e-3,) * len(sets().frames), dict.fromkeys(range(len(sets().frames)), "none"))
    )
    assert got.energy_meV_per_atom.mean and got.energy_relative.mean is None and "below" in got.energy_relative.absent
    assert got.force_relative.mean is None and got.force_relative.absent and got.cosine_mean is None and got.refused


def test_a_model_without_an_interaction_energy_has_no_figure_of_it() -> None:
    """What float64 does not tell is no fault of a policy."""
    right = exact()
    right.interaction.fill_(torch.nan)
    got = errors(right, right)
    assert got.interaction_meV_per_atom == Spread(absent="the model does not tell it")
    assert got.nonfinite["interaction"] == 0


def test_a_figure_of_nothing_is_none() -> None:
    """And says why."""
    assert spread(torch.zeros(0, dtype=torch.float64)).absent
