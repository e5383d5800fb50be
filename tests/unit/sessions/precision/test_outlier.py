"""One order of atoms and edges is judged by the others."""

from __future__ import annotations

import math

import pytest
import torch

from mpcheck.policy.evaluation import evaluate
from mpcheck.reference.cut import reordered
from mpcheck.sessions.precision.outlier import MOST, outlier
from mpcheck.sessions.run import Options, Session
from tests.conftest import SYSTEM


@pytest.fixture(scope="module")
def water() -> Session:
    return Session(Options(systems=(SYSTEM,), backends=("e3nn",)))


def noise(atoms: int, seed: int) -> torch.Tensor:
    return torch.randn(atoms, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_another_order_is_the_same_structure(water: Session) -> None:
    graph = water.graph(SYSTEM)
    other, place = reordered(graph, 3)
    assert torch.equal(other["positions"][place], graph["positions"]) and not torch.equal(other["positions"], graph["positions"])
    assert not torch.equal(other["edge_index"][:, :20], place[graph["edge_index"]][:, :20])
    one, two = (evaluate(water.reference_backend.model, g) for g in (graph, other))
    assert torch.allclose(one.energy, two.energy, rtol=1e-12) and torch.allclose(one.forces, two.forces[place], atol=1e-10)
    assert reordered(graph, 3)[1].equal(place) and not reordered(graph, 4)[1].equal(place)


def test_structures_of_a_batch_keep_their_atoms(water: Session) -> None:
    one = water.graph(SYSTEM)
    atoms = len(one["positions"])
    graph = {n: torch.cat([t, t]) for n, t in one.items() if n in ("positions", "node_attrs", "shifts")}
    graph |= {"edge_index": torch.cat([one["edge_index"], one["edge_index"] + atoms], 1), "ptr": torch.tensor([0, atoms, 2 * atoms])}
    graph |= {"batch": torch.arange(2).repeat_interleave(atoms), "cell": torch.cat([one["cell"], one["cell"]])}
    other, place = reordered(graph, 0)
    assert torch.equal(other["batch"], graph["batch"]) and torch.equal(other["ptr"], graph["ptr"]) and torch.equal(other["cell"], graph["cell"])
    assert sorted(place.tolist()) == list(range(2 * atoms)) and bool((place[:atoms] < atoms).all())


def test_what_may_be_of_structures_keeps_its_order(water: Session) -> None:
    """Three atoms and a field of three components: nobody can tell which is which."""
    few = water.graph(SYSTEM)
    graph = {n: few[n][:3] for n in ("positions", "node_attrs", "batch")} | {"ptr": torch.tensor([0, 3]), "field": torch.arange(3.0)}
    graph |= {"edge_index": torch.tensor([[0, 1, 2, 0, 1], [1, 2, 0, 2, 0]]), "shifts": torch.arange(15.0).reshape(5, 3)}
    other, place = reordered(graph, 0)
    assert torch.equal(other["field"], graph["field"]) and place.tolist() == [0, 1, 2]
    assert not torch.equal(other["shifts"], graph["shifts"]) and sorted(other["shifts"][:, 0].tolist()) == sorted(graph["shifts"][:, 0].tolist())


def test_an_atom_that_errs_in_one_order_alone_is_found() -> None:
    errors = [noise(100, seed) for seed in range(3)]
    assert outlier(errors, "force", 0.0).ratio < MOST / 2
    errors[1][17] += 20.0
    found = outlier(errors, "force", 0.0)
    assert found.ratio > MOST and (found.atom, found.order) == (17, 1)
    assert found.text.startswith("force of atom 17 where atoms and edges come in another order is off by 3") and "eV/Å" in found.text


def test_an_atom_that_errs_more_than_others_in_every_order_is_none() -> None:
    """A close contact errs by thousands of times what others do."""
    errors = [noise(50, seed) for seed in range(3)]
    for error in errors:
        error[3:5] *= 1e4
    assert outlier(errors, "force", 0.0).ratio < MOST


def test_what_a_format_resolves_is_no_error() -> None:
    errors = [torch.zeros(4, 3, dtype=torch.float64) for _ in range(3)]
    errors[0][1, 0] = 1e-8
    assert outlier(errors, "force", 1e-8).ratio < MOST and math.isinf(outlier(errors, "force", 0.0).ratio), "nothing else errs"
    assert outlier([torch.zeros(0, 3)] * 3, "force", 0.0).ratio == 0.0


@pytest.mark.parametrize("atoms", [1, 2])
def test_few_atoms_are_judged_by_themselves(atoms: int) -> None:
    assert all(outlier([noise(atoms, 3 * k + o) for o in range(3)], "force", 0.0).ratio < MOST for k in range(200))
