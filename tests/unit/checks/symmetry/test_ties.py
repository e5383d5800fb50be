"""Edges as long as the cutoff: lattices of round constants have them, and a rotation takes them in or out by a rounding."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from ase import Atoms
from ase.build import bulk

from mpcheck.adapters.facts.rotation import Turn
from mpcheck.adapters.graph import make_graph
from mpcheck.checks.symmetry.action import Structure
from mpcheck.checks.symmetry.group import Element, Shift, Shuffle, Wrap
from mpcheck.checks.symmetry.moved import Whole
from mpcheck.checks.symmetry.ties import TIE, edges_of, tied, vectors
from mpcheck.judge.context import Counts

ELEMENTS = ("Na", "Cl")
TURNS = [Turn((0.3, 0.1 * i, -0.7, 0.2 + 0.05 * i)) for i in range(8)]
MOVES: list[Element] = [
    *TURNS,
    Turn(inverted=True),
    Shift((100.0, -100.0, 0.5)),
    Wrap(seed=1),
    Shuffle(True, False, seed=3),
    Shuffle(True, True, seed=4),
]


def crystal(a: float = 3.0, seed: int = 1) -> Atoms:
    atoms = bulk("NaCl", "cesiumchloride", a=a)
    atoms.rattle(0.05, seed=seed)  # images of one atom still lie a lattice constant apart
    return atoms


def whole(*frames: Atoms, original: dict[str, torch.Tensor] | None = None) -> Whole:
    graph = make_graph(frames, ELEMENTS, 3.0) if original is None else original
    model = SimpleNamespace(elements=ELEMENTS, r_max=3.0, heads=("Default",), inputs=())
    context: Any = SimpleNamespace(systems={"s": SimpleNamespace(frames=frames)}, model=model, graph=lambda _: graph)
    cells = graph["cell"].reshape(-1, 3, 3)[graph["batch"]]
    return Whole(context, "s", Structure(Counts(len(graph["positions"]), graph["edge_index"].shape[1], len(frames)), 3, cells))


def drawn(graph: dict[str, torch.Tensor], share: float, seed: int = 0) -> dict[str, torch.Tensor]:
    """A graph with some of its tied edges: as roundings have it."""
    keep = torch.rand(graph["edge_index"].shape[1], generator=torch.Generator().manual_seed(seed)) < share
    return edges_of(graph, keep | ~tied(graph, 3.0))


def lengths(graph: dict[str, torch.Tensor]) -> torch.Tensor:
    return vectors(graph).norm(dim=-1).sort()[0]


@pytest.mark.parametrize("move", MOVES, ids=lambda move: move.text)
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_a_moved_structure_has_the_edges_of_its_original(move: Element, share: float) -> None:
    """However many of the tied ones that has: the same pairs of atoms, the same lengths, and the same directions, turned."""
    frames = [crystal(), crystal(seed=2)]
    original = drawn(make_graph(frames, ELEMENTS, 3.0 * (1 + 2 * TIE)), share)
    one = whole(*frames, original=original)
    assert one.tied
    moved = one.graph(move)
    assert torch.allclose(lengths(moved), lengths(original), atol=1e-9) and lengths(moved).shape == lengths(original).shape
    atoms = one.order(move) if isinstance(move, Shuffle) else torch.arange(4)
    back = move.inverse.vectors(vectors(moved)) if isinstance(move, Turn) else vectors(moved)

    def told(ends: torch.Tensor, apart: torch.Tensor) -> list[tuple[float, ...]]:
        return sorted((float(i), float(j), *(round(float(x), 5) + 0.0 for x in v)) for i, j, v in zip(*ends, apart, strict=True))

    for own, others in zip(told(original["edge_index"], vectors(original)), told(atoms[moved["edge_index"]], back), strict=True):
        assert own == pytest.approx(others, abs=2e-5)


def test_some_rotation_takes_a_tied_edge_in_or_out() -> None:
    """Without all this: what is done here is needed."""
    counts = set()
    generator = torch.Generator().manual_seed(0)
    for _ in range(30):
        turn = Turn(tuple(torch.randn(4, generator=generator).tolist()))
        positions, cell = (turn.vectors(torch.tensor(x)).numpy() for x in (crystal().positions, crystal().cell.array))
        graph = make_graph([Atoms(crystal().numbers, positions, cell=cell, pbc=True)], ELEMENTS, 3.0)
        counts.add(graph["edge_index"].shape[1])
    assert len(counts) > 1


def test_a_structure_without_them_is_left_alone() -> None:
    one = whole(crystal(a=3.1))
    assert not one.tied and torch.equal(lengths(one.graph(Shift((0.0, 0.0, 0.0)))), lengths(one.context.graph("s")))
