"""On which structures a policy is judged: the user's own, and what is made of them; bounded, seeded, and told what was left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from ase import Atoms

from mpcheck.policy.copies import contacts, fewer, rattled, repeated
from mpcheck.reference.noise import seed_of
from mpcheck.systems import Structures
from mpcheck.systems.spacing import edges

Kind = Literal["own", "rattled", "fewer", "supercell", "contacts", "diatomics", "displaced"]
JUDGED: tuple[Kind, ...] = ("own", "rattled", "fewer", "supercell")
"""What figures of a policy are over; close contacts and the rest have figures of their own."""
ENOUGH = 20
"""Structures of energies: an energy is one number a structure, and its error scatters like one normal deviate."""
LEAST = 3
"""Rattled copies at least, also of a structure that is large: without them a perfect crystal would have no force test."""
FEWER, CONTACT_PAIRS = 3, 3
MOST_EDGES = 60_000
"""Of all sets together: about three seconds of a small model on one processor."""


@dataclass(frozen=True)
class StructureSet:
    """Structures of one kind.

    Attributes:
        frames: structures. labels: what each is, in words. parents: of which of the user's each was made, by its place in ``own``.
        alone: each is evaluated by itself, as a calculator does it, not in a batch.
    """

    kind: Kind
    frames: tuple[Atoms, ...]
    labels: tuple[str, ...]
    parents: tuple[int, ...] = ()
    alone: bool = False


@dataclass(frozen=True)
class Sets:
    """All structures that a policy is judged on.

    Attributes:
        notes: what was left out, and why, a line each.
    """

    sets: tuple[StructureSet, ...]
    notes: tuple[str, ...] = field(default=())

    @property
    def frames(self) -> tuple[Atoms, ...]:
        """Of all sets, one after another."""
        return tuple(frame for one in self.sets for frame in one.frames)

    @property
    def labels(self) -> tuple[str, ...]:
        """Of all frames, in words."""
        return tuple(label for one in self.sets for label in one.labels)

    @property
    def digest(self) -> str:
        """SHA-256 over the content of all frames."""
        return Structures("policy", self.frames).digest

    def places(self, *kinds: Kind) -> list[int]:
        """Which of all frames are of these kinds."""
        found, start = list[int](), 0
        for one in self.sets:
            found += range(start, start + len(one.frames)) if one.kind in kinds else ()
            start += len(one.frames)
        return found

    def get(self, kind: Kind) -> StructureSet:
        """A set; an empty one where there is none."""
        return next((s for s in self.sets if s.kind == kind), StructureSet(kind, (), ()))


class _Room:
    """How many edges may still be added."""

    def __init__(self, most: float, r_max: float) -> None:
        self.left = most
        self.r_max = r_max

    def takes(self, frame: Atoms, anyway: bool = False) -> bool:
        """Whether a frame fits in; it is counted then."""
        size = self.size(frame)
        if size > self.left and not anyway:
            return False
        self.left -= size
        return True

    def size(self, frame: Atoms) -> float:
        """Edges of a frame, and one to each atom, which cost something without neighbours, too."""
        return edges(frame, self.r_max) + len(frame)


def structure_sets(frames: Sequence[Atoms], r_max: float, seed: int = 0, most_edges: float = MOST_EDGES) -> Sets:
    """The sets that are made of a user's frames.

    Args:
        frames: as :func:`mpcheck.systems.resolve.resolve_system` gives them. r_max: the model's cut-off in Å.
        seed: of rattling. most_edges: of all sets together; the first of the user's frames and a few copies are there all the same.
    """
    room, notes = _Room(most_edges, r_max), list[str]()
    own = _own(frames, room, notes)
    copies, parents = _rattled(own, room, seed, notes)
    label = [f"structure {i}" if len(own) > 1 else "the structure" for i in range(len(own))]
    made = [
        StructureSet("own", tuple(own), tuple(label), tuple(range(len(own))), alone=True),
        StructureSet("rattled", tuple(copies), tuple(f"copy {n} of {label[p]}, rattled" for n, p in enumerate(parents)), tuple(parents)),
        _fewer(own, label, room, notes),
        _supercell(own, label, room, seed, notes),
        _contacts(own, label, room, notes),
    ]
    return Sets(tuple(s for s in made if s.frames), tuple(notes))


def _own(frames: Sequence[Atoms], room: _Room, notes: list[str]) -> list[Atoms]:
    """As many as fit into half of the room, evenly spaced; one at least."""
    sizes = [room.size(f) for f in frames]
    chosen = list(range(len(frames)))
    while len(chosen) > 1 and sum(sizes[i] for i in chosen) > room.left / 2:
        chosen = sorted({round(x) for x in np.linspace(0, len(frames) - 1, len(chosen) // 2)})
    if len(chosen) < len(frames):
        notes.append(f"{len(chosen)} of {len(frames)} structures are judged, evenly spaced: more would take too long")
    for i in chosen:
        room.takes(frames[i], anyway=True)
    return [frames[i] for i in chosen]


def _rattled(own: Sequence[Atoms], room: _Room, seed: int, notes: list[str]) -> tuple[list[Atoms], list[int]]:
    """Copies of each in turn, every other round strained; a lone atom has none, for it would be the same."""
    parents = [i for i, f in enumerate(own) if len(f) > 1]
    wanted = max(ENOUGH - len(own), LEAST) if parents else 0
    copies: list[Atoms] = []
    whose: list[int] = []
    for n in range(wanted):
        parent, turn = parents[n % len(parents)], n // len(parents)
        copy = rattled(own[parent], np.random.default_rng(seed_of("policy", seed, n)), strained=turn % 2 == 1)
        if not room.takes(copy, anyway=n < LEAST):
            break
        copies.append(copy)
        whose.append(parent)
    if len(own) + len(copies) < ENOUGH:
        why = "more would take too long" if parents else "an atom alone has no copies that differ"
        notes.append(f"{len(own) + len(copies)} structures for energies instead of {ENOUGH}: {why}")
    return copies, whose


def _fewer(own: Sequence[Atoms], label: Sequence[str], room: _Room, notes: list[str]) -> StructureSet:
    """One atom left out of the first structures that have three or more."""
    made: list[tuple[Atoms, str, int]] = []
    fitting = [i for i, f in enumerate(own) if len(f) > 2]
    for n in range(FEWER if fitting else 0):
        parent = fitting[n % len(fitting)]
        atom = (n * len(own[parent])) // FEWER
        frame = fewer(own[parent], atom)
        if not room.takes(frame):
            notes.append("structures of one atom less are left out: they would take too long")
            break
        made.append((frame, f"{label[parent]} without atom {atom}", parent))
    return _set("fewer", made, alone=True)


def _supercell(own: Sequence[Atoms], label: Sequence[str], room: _Room, seed: int, notes: list[str]) -> StructureSet:
    """The smallest periodic structure twice along each of its periodic vectors, or along as many as fit into half of what is left."""
    periodic = sorted((i for i, f in enumerate(own) if f.pbc.any()), key=lambda i: len(own[i]))
    if not periodic:
        return StructureSet("supercell", (), ())
    frame, axes = own[periodic[0]], [int(a) for a in np.flatnonzero(own[periodic[0]].pbc)]
    while axes and room.size(frame) * 2 ** len(axes) > room.left / 2:
        axes.pop()
    if len(axes) < int(frame.pbc.sum()):
        notes.append(
            "a supercell of two cells along every vector is left out: it would take too long" + ("; a smaller one is judged" if axes else "")
        )
    if not axes:
        return StructureSet("supercell", (), ())
    counts = (1 + (0 in axes), 1 + (1 in axes), 1 + (2 in axes))
    made = repeated(frame, counts, np.random.default_rng(seed_of("policy", seed, "supercell")))
    room.takes(made, anyway=True)
    return _set("supercell", [(made, f"{' x '.join(map(str, counts))} cells of {label[periodic[0]]}", periodic[0])], alone=True)


def _contacts(own: Sequence[Atoms], label: Sequence[str], room: _Room, notes: list[str]) -> StructureSet:
    """Of the first structure with most elements."""
    made: list[tuple[Atoms, str, int]] = []
    fitting = [i for i, f in enumerate(own) if len(f) > 1]
    if fitting:
        parent = max(fitting, key=lambda i: len(set(own[i].numbers)))
        for words, frame in contacts(own[parent], CONTACT_PAIRS):
            if not room.takes(frame):
                notes.append("some close contacts are left out: they would take too long")
                break
            made.append((frame, f"{label[parent]} with {words}", parent))
    return _set("contacts", made)


def _set(kind: Kind, made: Sequence[tuple[Atoms, str, int]], alone: bool = False) -> StructureSet:
    return StructureSet(kind, tuple(m[0] for m in made), tuple(m[1] for m in made), tuple(m[2] for m in made), alone)
