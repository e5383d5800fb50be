"""Structures drawn at random, of every kind that makes a neighbour list, an edge or a sum special."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import hypothesis.strategies as st
import numpy as np
from ase import Atoms
from ase.geometry import get_distances
from ase.neighborlist import neighbor_list

from tests.fuzz.cases import Frame

MOST_EDGES = 1500  # of a batch, so that a case takes seconds; a dense one alone has more than 256 for an atom
NEAREST = 0.8  # Å between atoms: what a rattled or compressed structure has
Random = np.random.Generator
Maker = Callable[[Random, int, float], Atoms]
"""Called with a source of random numbers, a number of atoms and the cut-off in Å; the elements are chosen afterwards."""


def _scattered(random: Random, count: int, cell: np.ndarray, pbc: Sequence[bool]) -> Atoms:
    """Atoms at random in a cell, no two nearer than NEAREST as far as there is room."""
    kept = np.empty((0, 3))
    for _ in range(count):
        for _ in range(50):
            place = random.uniform(0, 1, 3) @ cell
            if not len(kept) or get_distances(place, kept, cell=cell, pbc=pbc)[1].min() > NEAREST:
                break
        else:
            break
        kept = np.vstack([kept, place])
    return Atoms(f"X{len(kept)}", positions=kept, cell=cell, pbc=pbc)


def _box(random: Random, count: int, r_max: float, pbc: Sequence[bool], skew: float = 0.3) -> Atoms:
    edge = max(1.5, (count * 9.0) ** (1 / 3))
    return _scattered(random, count, edge * (np.eye(3) + random.uniform(-skew, skew, (3, 3))), pbc)


def molecule(random: Random, count: int, r_max: float) -> Atoms:
    """An open cluster without a cell."""
    made = _box(random, count, r_max, (False, False, False))
    return Atoms(made.symbols, positions=made.positions - made.positions.mean(0))


def bulk(random: Random, count: int, r_max: float) -> Atoms:
    """Periodic in three directions."""
    return _box(random, count, r_max, (True, True, True))


def mixed(random: Random, count: int, r_max: float) -> Atoms:
    """Periodic in one or two directions, each in turn."""
    pbc = [(True, True, False), (False, True, True), (True, False, True), (False, False, True), (True, False, False)][int(random.integers(5))]
    return _box(random, count, r_max, pbc)


def skewed(random: Random, count: int, r_max: float) -> Atoms:
    """A cell smaller than the cut-off and far from right angles, so that atoms see many images, also of themselves."""
    edge = random.uniform(0.6, 1.0) * r_max
    cell = edge * np.array([[1, 0, 0], [random.uniform(-0.7, 0.7), 1, 0], [random.uniform(-0.7, 0.7), random.uniform(-0.7, 0.7), 1]])
    return _scattered(random, min(count, 3), cell, (True, True, True))


def isolated(random: Random, count: int, r_max: float) -> Atoms:
    """A pair and atoms that nobody sees, in the open."""
    made = [[0.0, 0.0, 0.0], [1.1, 0.2, -0.3]] + [[3.0 * r_max * (i + 1), 0.7, -2.0] for i in range(count)]
    return Atoms(f"X{len(made)}", positions=made)


def alone(random: Random, count: int, r_max: float) -> Atoms:
    """One atom without any edge."""
    return Atoms("X", positions=[random.uniform(-1, 1, 3)])


def alone_periodic(random: Random, count: int, r_max: float) -> Atoms:
    """One atom that sees its own images only."""
    return Atoms("X", positions=[random.uniform(0, 1, 3)], cell=random.uniform(0.5, 0.9, 3) * r_max, pbc=True)


def at_the_cutoff(random: Random, count: int, r_max: float) -> Atoms:
    """A dimer at nearly the cut-off, on either side, where the envelope and its derivatives vanish."""
    share = float(random.choice([1 - 1e-6, 1 - 1e-3, 0.99, 1 + 1e-3]))
    direction = random.normal(size=3)
    return Atoms("X2", positions=[[0, 0, 0], share * r_max * direction / np.linalg.norm(direction)])


def along_axes(random: Random, count: int, r_max: float) -> Atoms:
    """Edges exactly along x, y and z, both ways, where spherical harmonics have zeros and poles of other coordinates."""
    step = random.uniform(0.35, 0.7) * r_max
    return Atoms("X7", positions=step * np.array([[0, 0, 0], [1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]], float))


def chain(random: Random, count: int, r_max: float) -> Atoms:
    """A straight line along z: every edge on one axis."""
    return Atoms(f"X{count}", positions=[[0.0, 0.0, 0.45 * r_max * i] for i in range(count)])


def crystal(random: Random, count: int, r_max: float) -> Atoms:
    """A perfect simple cubic lattice: forces are zero by symmetry."""
    return Atoms("X", positions=[[0, 0, 0]], cell=[0.62 * r_max] * 3, pbc=True)


def dense(random: Random, count: int, r_max: float) -> Atoms:
    """More than 256 neighbours for an atom: where a sum in a narrow format saturates."""
    return Atoms("X", positions=[[0, 0, 0]], cell=np.full(3, r_max * (4.19 / 330) ** (1 / 3)), pbc=True)


def far_away(random: Random, count: int, r_max: float) -> Atoms:
    """A cluster a long way from the origin, where positions have few digits left."""
    made = molecule(random, count, r_max)
    made.positions += random.uniform(-500, 500, 3)
    return made


KINDS: tuple[tuple[Maker, int], ...] = (
    (molecule, 4), (bulk, 4), (mixed, 4), (skewed, 3), (isolated, 2), (alone, 1), (alone_periodic, 2), (at_the_cutoff, 2),
    (along_axes, 2), (chain, 1), (crystal, 1), (dense, 1), (far_away, 1),
)  # fmt: skip
"""Makers and how often each is drawn."""


def edges(frame: Atoms, r_max: float) -> int:
    """Directed edges of a structure."""
    return len(neighbor_list("i", frame, r_max))


@st.composite
def frames(draw: st.DrawFn, elements: Sequence[str], r_max: float) -> Frame:
    """One structure; its elements may be fewer than the model's."""
    maker = draw(st.sampled_from([maker for maker, weight in KINDS for _ in range(weight)]))
    count, seed = draw(st.integers(2, 8)), draw(st.integers(0, 9999))
    random = np.random.default_rng(seed)
    made = maker(random, count, r_max)
    present = draw(st.lists(st.sampled_from(list(elements)), min_size=1, max_size=len(elements), unique=True))
    made.symbols[:] = [present[i % len(present)] for i in random.permutation(len(made))]
    return Frame.of(maker.__name__, made)


@st.composite
def batches(draw: st.DrawFn, elements: Sequence[str], r_max: float) -> list[Frame]:
    """One to three structures of any kinds, as many as keep to MOST_EDGES; at least the first."""
    found: list[Frame] = []
    total = 0
    for frame in draw(st.lists(frames(elements, r_max), min_size=1, max_size=3)):
        total += edges(frame.atoms(), r_max)
        if not found or total <= MOST_EDGES:
            found.append(frame)
    return found
