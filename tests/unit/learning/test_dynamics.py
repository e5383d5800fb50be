"""Courses of trained models, and what distances tell of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import molecule

from mpcheck import _torch_state
from mpcheck.adapters.load import load_model
from mpcheck.learning.dynamics import WIDTH, chosen, distances, langevin, overlap
from mpcheck.learning.solvents import solvents


def moved(count: int, size: float, seed: int = 0) -> list[Atoms]:
    rng, made = np.random.default_rng(seed), []
    for _ in range(count):
        atoms = molecule("H2O")
        atoms.positions += rng.normal(0, size, (3, 3))
        made.append(atoms)
    return made


def test_every_pair_is_counted_once() -> None:
    found = distances([molecule("H2O")])
    assert {pair: total.sum() * WIDTH for pair, total in found.items()} == pytest.approx({"H-H": 1, "H-O": 2, "O-O": 0})
    assert found["H-O"].argmax() == 9, "0.97 Å"


def test_what_is_alike_overlaps_and_what_is_not_does_not() -> None:
    near, again, far = (distances(moved(300, size, seed)) for size, seed in ((0.05, 0), (0.05, 1), (0.4, 2)))
    assert min(overlap(near, again).values()) > 0.9 > 0.6 > max(overlap(near, far).values())
    assert overlap(near, near) == pytest.approx({"H-H": 1.0, "H-O": 1.0})


def test_a_structure_that_was_not_learned_from_starts_a_run() -> None:
    data = solvents()
    formula, start, frames = chosen(data)
    assert start.get_chemical_formula() == formula and len(start) >= 4
    assert all(frame.get_chemical_formula() == formula for frame in frames) and len(frames) > 10
    assert any(np.array_equal(start.positions, one.atoms.positions) for one in data.test)


def test_a_trained_model_keeps_a_molecule_and_leaves_nothing_behind() -> None:
    model, before = load_model("builtin:hco").module, _torch_state.read()
    weights = [p.clone() for p in model.parameters()]
    course = langevin(model, molecule("H2O"), 0, steps=60, every=5)
    again = langevin(model, molecule("H2O"), 0, steps=60, every=5)
    assert not course.lost and len(course.frames) == 13 and 50 < course.temperature < 2000
    assert np.array_equal(course.frames[-1].positions, again.frames[-1].positions)
    assert before.differences(_torch_state.read()) == [] and all(map(torch.equal, weights, model.parameters()))


def test_a_model_that_flies_apart_is_told() -> None:
    model = load_model("builtin:hco").module
    with torch.no_grad():
        model.scale_shift.scale.mul_(-20)  # type: ignore[union-attr,operator]  # upstream's
    assert langevin(model, molecule("H2O"), 0, steps=400).lost
