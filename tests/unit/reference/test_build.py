"""Cotangents of references: seeded, and scaled without rounding."""

from __future__ import annotations

import torch

from mpcheck.reference.build import ENERGY, RANDOM, evaluate, random_cotangents, scaled
from mpcheck.sessions.run import Session
from tests.conftest import SYSTEM


def test_energy_cotangents_are_scaled_by_a_power_of_two() -> None:
    given = {"out.0": torch.tensor([3e-9, -7e-8], dtype=torch.float64), "out.1": torch.tensor([0.0, 1e-12], dtype=torch.float64)}
    found = scaled(given)
    factors = torch.cat([found[n][t != 0] / t[t != 0] for n, t in given.items()])
    assert bool((factors == factors[0]).all()) and float(torch.frexp(factors[0])[0]) == 0.5
    assert 0.5 <= max(float(t.abs().max()) for t in found.values()) < 1.0
    assert all(torch.equal(found[n] / factors[0], t) for n, t in given.items())
    assert scaled({"out": torch.zeros(3)}) == {}


def test_random_cotangents_belong_to_their_block_and_output() -> None:
    outputs = {"out.0": torch.zeros(50, 2), "out.1": torch.zeros(50, 2)}
    one, again, other = random_cotangents(outputs, 0, "block"), random_cotangents(outputs, 0, "block"), random_cotangents(outputs, 0, "another")
    assert all(torch.equal(one[n], again[n]) and not torch.equal(one[n], other[n]) for n in outputs)
    assert not torch.equal(one["out.0"], one["out.1"]) and one["out.0"].dtype == torch.float64


def test_a_reference_is_what_its_block_computes_again(session: Session) -> None:
    reference = session.library(SYSTEM).get("products.0.linear")
    values = evaluate(session.reference_backend, reference.block, reference.skeleton, reference.inputs, reference.cotangents)
    assert set(reference.cotangents) == {RANDOM, ENERGY}
    assert values.keys() == reference.values.keys()
    assert all(torch.allclose(values[n], t, rtol=1e-13, atol=1e-14) for n, t in reference.values.items())
    assert all(set(components) >= {"stored"} for components in reference.noise.values())
