"""Predicted errors against measured ones, of single blocks and whole policies."""

from __future__ import annotations

import functools
import math

import pytest

from mpcheck.policy.assignment import assigned
from mpcheck.policy.evaluation import evaluate
from mpcheck.policy.noise.calls import Calls
from mpcheck.policy.noise.prediction import emulated, predicted, rms
from mpcheck.policy.noise.sensitivity import sensitivity
from mpcheck.policy.rules import Policy, Rule, builtin
from mpcheck.policy.running.applied import apply
from tests.unit.policy.helpers.small import box, calls, graph_of, model, sensitivities

MEV = 1e3
BUILTIN = [name for name in builtin() if name != "float64"]


@functools.cache
def _errors(policy: str) -> tuple[float, float, float]:
    """Measured RMS errors on five boxes: meV/atom, meV/Å, meV/Å³."""
    graph = graph_of(*map(box, range(5)))
    exact, low = evaluate(model(), graph), evaluate(apply(model(), builtin()[policy]), graph)
    energy = (low.energy - exact.energy) / exact.atoms
    return tuple(MEV * rms(d) for d in (energy, low.forces - exact.forces, low.stress - exact.stress))  # type: ignore[return-value]


@pytest.mark.parametrize("name", BUILTIN)
def test_in_quadrature(name: str) -> None:
    policy = builtin()[name]
    found = predicted(sensitivities(), policy, assigned(policy, calls().blocks))
    energy, force, stress = _errors(name)
    assert 0.4 < force / found.force_rms < 1.6
    assert 0.25 < stress / found.stress_rms < 2  # nine numbers of one structure
    assert energy / found.energy_rms < 3  # one number, which equal atoms have in common: see below
    assert not found.overflowing


@pytest.mark.parametrize("name", BUILTIN)
def test_emulated(name: str) -> None:
    found = emulated(calls(seeds=tuple(range(5))), sensitivities(), builtin()[name])
    energy, force, stress = _errors(name)
    assert 0.5 < force / found.force_rms < 1.3
    assert 0.4 < stress / found.stress_rms < 1.3
    least = 0.15 if name == "float32" else 0.3  # how a kernel adds is not emulated, and equal atoms' sums err alike: one deviate, 0.25 here
    assert least < energy / found.energy_rms < 1.5


def test_float32_of_radial_networks_alone() -> None:
    """Their inner operations are as important as their inputs and weights."""
    policy = Policy(name="x", base="float64", rules=[Rule(blocks=["role:radial MLP"], compute="float32")])
    found = predicted(sensitivities(), policy, assigned(policy, calls().blocks))
    graph = graph_of(box())
    exact, low = evaluate(model(), graph), evaluate(apply(model(), policy), graph)
    assert 0.3 < MEV * rms(low.forces - exact.forces) / found.force_rms < 1.3


def test_energies_apart_have_no_error_of_their_sum() -> None:
    apart, together = (Policy(name="x", base="bfloat16", energies=way) for way in ("apart", "together"))  # type: ignore[arg-type]
    formats = assigned(apart, calls().blocks)
    one, two = predicted(sensitivities(), apart, formats), predicted(sensitivities(), together, formats)
    assert one.energy_rms < 0.1 * two.energy_rms
    assert one.force_rms == pytest.approx(two.force_rms)
    assert one.shares["energy_sum"].coarse["energy"] == 0
    assert emulated(calls(), sensitivities(), apart).energy_rms < 0.1 * emulated(calls(), sensitivities(), together).energy_rms


def test_half_the_roundoff_is_half_the_error() -> None:
    half = predicted(sensitivities(), builtin()["float32"], assigned(builtin()["float32"], calls().blocks))
    exact = predicted(sensitivities(), builtin()["float64"], assigned(builtin()["float64"], calls().blocks))
    assert half.force_rms * 2.0**-29 < 2 * exact.force_rms < 4 * half.force_rms * 2.0**-29


def test_values_that_a_format_cannot_hold() -> None:
    """E0 of -200,000 eV."""
    own = model(atomic_energies=(-1.0, -200_000.0))
    where = Calls(own, graph_of(box()))
    made = sensitivity(where)
    together = Policy(name="x", base="float16", energies="together")
    found = predicted(made, together, assigned(together, where.blocks))
    assert "atomic_energies_fn" in found.overflowing and math.isinf(found.energy_rms)
    assert math.isinf(emulated(where, made, together).energy_rms)
    apart = Policy(name="x", base="float16")
    assert math.isfinite(emulated(where, made, apart).energy_rms)
    assert not predicted(made, apart, assigned(apart, where.blocks)).overflowing


def test_molecules_and_boxes_together() -> None:
    molecule = box()
    molecule.pbc = False
    molecule.cell = None
    where = Calls(model(), graph_of(molecule, box()))
    found = emulated(where, sensitivities(), builtin()["linear-bf16"])
    assert all(map(math.isfinite, (found.stress_rms, found.energy_rms, found.force_rms)))


@pytest.mark.parametrize("name", ["MACE", "ScaleShiftMACE", "EnergyDipolesMACE"])
def test_energies_apart_of_every_class(name: str) -> None:
    """In float64, where taking energies of isolated atoms apart must change nothing."""
    graph = graph_of(box())
    exact, low = (evaluate(m, graph) for m in (model(name), apply(model(name), builtin()["float64"])))
    assert float((low.energy - exact.energy).abs().max()) < 1e-9


def test_numbers_that_are_lost_on_the_way_are_no_small_error() -> None:
    """A model whose forces are beyond float16: its own are no numbers then."""
    own = model(atomic_inter_scale=1e5)
    where = Calls(own, graph_of(box()))
    made = sensitivity(where)
    found = emulated(where, made, Policy(name="x", base="float16"))
    assert not math.isnan(found.force_rms) and not math.isnan(found.energy_rms)
    assert math.isinf(found.energy_rms)
