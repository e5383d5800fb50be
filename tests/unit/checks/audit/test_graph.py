"""The graph's check passes on sound lists, sees wrong ones, and lets edges at the very cut-off be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from ase import Atoms
from mace.data import atomic_data

from mpcheck.adapters.facts.radial import negligible
from mpcheck.checks.audit import graph
from mpcheck.checks.audit.edge_lists import difference
from mpcheck.judge.context import Key
from mpcheck.records.record import Record
from mpcheck.sessions.run import Options, Session
from tests import inspections

SYSTEMS = ("builtin:slab", "builtin:solvents", "builtin:isolated")


@pytest.fixture(scope="module")
def crystals() -> Session:
    return Session(Options(model="builtin:hco", systems=SYSTEMS, backends=("e3nn",)))


@pytest.fixture(scope="module")
def found(crystals: Session) -> dict[str, list[Record]]:
    return {key.id: inspections.run("audit", crystals, key) for key in inspections.keys("audit", crystals, ["graph"])}


def test_every_system_and_small_cells_are_asked(found: dict[str, list[Record]]) -> None:
    asked = [f"graph-{system}-{subject}-e3nn-float64" for system in SYSTEMS for subject in ("neighbours", "cells")]
    assert list(found) == ["graph-small-cells-e3nn-float64", *asked]


def test_sound_lists_pass(found: dict[str, list[Record]]) -> None:
    records = [record for several in found.values() for record in several]
    assert {record.verdict for record in records} == {"pass"}, [r.reason for r in records if r.verdict != "pass"]
    small = {r.variant: r for r in found["graph-small-cells-e3nn-float64"]}
    assert list(small) == ["edges", "vectors", "twice", "skew", "left-handed", "unwrapped", "moved"]
    assert small["edges"].figures["edges"] > 200 and small["skew"].figures["frames"] == 4
    open_ones = {r.variant for r in found["graph-builtin:solvents-cells-e3nn-float64"]}
    assert open_ones == {"moved"}
    assert found["graph-builtin:isolated-neighbours-e3nn-float64"][0].figures["edges"] == 0


def test_small_cells_have_every_periodicity_and_atoms_that_are_their_own_neighbours(crystals: Session) -> None:
    frames = graph.small_cells(crystals)
    assert {int(f.pbc.sum()) for f in frames} == {1, 2, 3}
    assert all(float(f.cell.lengths().max()) < crystals.model.r_max for f in frames)


Search = Callable[..., Any]


def faulty(monkeypatch: pytest.MonkeyPatch, change: Callable[..., Any]) -> None:
    original: Search = atomic_data.get_neighborhood

    def call(positions: Any, cutoff: float, pbc: Any = None, cell: Any = None, **kwargs: Any) -> Any:
        index, _, units, searched = original(positions, cutoff, pbc, cell, **kwargs)
        index, units = change(index, units)
        return index, units @ searched, units, searched

    monkeypatch.setattr(atomic_data, "get_neighborhood", call)


FAULTS: dict[str, tuple[Callable[..., Any], str]] = {
    "an edge is missing": (lambda index, units: (index[:, 1:], units[1:]), "missing"),
    "half of them": (lambda index, units: (index[:, index[0] < index[1]], units[index[0] < index[1]]), "missing"),
    "images farther than one cell are missing": (
        lambda index, units: (index[:, (abs(units) < 2).all(1)], units[(abs(units) < 2).all(1)]), "missing",
    ),
    "one twice": (lambda index, units: (index[:, [0, *range(len(units))]], units[[0, *range(len(units))]]), "more than once"),
    "shifts turned": (lambda index, units: (index, -units), "additional"),
    "an atom is its own neighbour": (
        lambda index, units: (np.concatenate([index, [[0], [0]]], axis=1), np.concatenate([units, [[0, 0, 0]]])), "additional",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", FAULTS)
def test_wrong_lists_are_seen(crystals: Session, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    change, says = FAULTS[kind]
    faulty(monkeypatch, change)
    records = graph.run(crystals, Key("graph", graph.SMALL, "e3nn", "float64"))
    (listed,) = [r for r in records if r.variant == "edges"]
    assert listed.verdict == "fail" and says in listed.reason


def test_energies_alone_see_a_list_that_depends_on_the_cell(crystals: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    change, _ = FAULTS["images farther than one cell are missing"]
    faulty(monkeypatch, change)
    records = {r.variant: r for r in graph.run(crystals, Key("graph", graph.SMALL, "e3nn", "float64"))}
    assert {n for n, r in records.items() if r.verdict == "fail"} >= {"twice", "skew", "unwrapped"}
    assert "meV" in records["twice"].reason and records["twice"].worst.startswith("frame")


def test_what_raises_is_red(crystals: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise np.linalg.LinAlgError("Singular matrix")

    monkeypatch.setattr(atomic_data, "get_neighborhood", broken)
    (record,) = graph.run(crystals, Key("graph", graph.SMALL, "e3nn", "float64"))
    assert record.verdict == "fail" and "Singular matrix" in record.reason


def pair(distance: float, model: torch.nn.Module, listed: bool) -> Any:
    index = torch.tensor([[0, 1], [1, 0]]) if listed else torch.zeros(2, 0, dtype=torch.long)
    frame = Atoms("CO", [[0, 0, 0], [0, 0, distance]])
    return difference(frame, index, torch.zeros(index.shape[1], 3), 4.5, negligible(model))


@pytest.mark.parametrize(("distance", "listed", "missing", "additional"), [
    (4.5, True, 0, 0), (4.5, False, 0, 0), (4.5 * (1 - 1e-9), False, 0, 0), (4.5 * (1 + 1e-9), True, 0, 0),
    (4.5 * (1 - 1e-4), False, 2, 0), (4.5 * (1 + 1e-4), True, 0, 2),
])  # fmt: skip
def test_edges_at_the_cut_off_may_differ_where_they_add_nothing(
    crystals: Session, distance: float, listed: bool, missing: int, additional: int
) -> None:
    found = pair(distance, crystals.model.module, listed)
    assert (len(found.missing), len(found.additional)) == (missing, additional)


def test_the_margin_is_that_of_the_envelope(crystals: Session) -> None:
    near = negligible(crystals.model.module)
    envelope = next(m for m in crystals.model.module.modules() if type(m).__name__ == "PolynomialCutoff")
    x = torch.tensor([1.0 - 1e3 * near], dtype=torch.float64) * crystals.model.r_max
    assert float(envelope(x)) == pytest.approx(1e9 * 2.0**-53, rel=0.1)
    assert negligible(torch.nn.Linear(1, 1)) == 2.0**-50


def test_large_systems_say_so(crystals: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph, "MOST_EDGES", 10)
    monkeypatch.setattr(graph, "MOST_ATOMS", 0)
    for subject in (graph.EDGES, graph.CELLS):
        (record,) = graph.run(crystals, Key("graph", subject, "e3nn", "float64", "builtin:slab"))
        assert record.verdict == "unsupported"
