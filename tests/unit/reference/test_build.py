"""Cotangents of references: seeded, and scaled without rounding. What cancels by symmetry has the noise of terms that are unlike."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from ase import Atoms
from ase.io import write

from mpcheck._torch_state import kept
from mpcheck.checks.precision import CellKey
from mpcheck.reference.build import ENERGY, RANDOM, cancelled, evaluate, random_cotangents, scaled
from mpcheck.sessions.precision.suite import Suite
from mpcheck.sessions.run import Options, Session
from tests.conftest import SYSTEM
from tests.zoo.older_models import MODELS, build


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


def test_terms_that_cancel_leave_nothing_beside_their_own_roundings() -> None:
    value, one = torch.tensor([1.0, 1e-17, -1.0], dtype=torch.float64), torch.ones(3)
    assert cancelled(value, {"stored": 1e-17 * one, "scatter": one}), "sums round though their terms, rounded alike, cancel"
    assert not cancelled(value, {"scatter": torch.tensor([1.0, 1e-17, 1.0])}), "small is none that vanishes: the edge of a cutoff"
    assert not cancelled(value, {"underflow": one}) and not cancelled(value, {})
    assert cancelled(0.0 * value, {"scatter": one}) and not cancelled(0.0 * value, {"scatter": 0.0 * one}), "elements that are not there"


@pytest.fixture(scope="module")
def small_l2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "l2.model"
    with kept():
        torch.save(build(**MODELS["l2"]), path)
    return path


@pytest.mark.parametrize("seed", range(4))
def test_an_atom_alone_in_its_cell_is_no_fault_of_its_convolution(small_l2: Path, tmp_path: Path, seed: int) -> None:
    """Its neighbours lie in opposite directions: vectors of its surroundings vanish, but for what the last rows of a product round otherwise."""
    crystal = tmp_path / "one.extxyz"
    write(crystal, Atoms("H", cell=[2.3, 2.5, 2.8], pbc=True))
    session = Session(Options(model=str(small_l2), systems=(str(crystal),), backends=("e3nn",), seed=seed, cache=tmp_path / "cache"))
    suite = Suite(session, None)
    for direction in ("forward", "backward"):
        cell = suite.judge(CellKey(str(crystal), "interactions.0", "e3nn", "float32", direction))
        assert cell.verdict == "pass", cell.reason
