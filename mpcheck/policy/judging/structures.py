"""On which structures a policy is judged: the user's own, and what is made of them; bounded, seeded, and told what was left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from ase import Atoms

from mpcheck.policy.judging.copies import contacts, fewer, piece, rattled, repeated
from mpcheck.reference.noise import seed_of
from mpcheck.systems import Structures
from mpcheck.systems.spacing import edges

Kind = Literal["own", "rattled", "fewer", "supercell", "contacts", "diatomics", "displaced"]
JUDGED: tuple[Kind, ...] = ("own", "rattled", "fewer", "supercell")
"""What figures of a policy are over; close contacts and the rest have figures of their own."""
ENOUGH = 20
"""Structures of energies: an energy is one number a structure, and its error scatters like one normal deviate."""
WHOLE = 3
"""Rattled copies of a large structure as it is, one at least: without it a perfect crystal would have no force test."""
FEWER, CONTACT_PAIRS = 3, 3
MOST_EDGES = 60_000
"""Of all sets together: about three seconds of a small model on one processor."""
SHARE = 36
"""A structure of more than so great a part of all edges is copied whole a few times only; most is made of pieces of it."""


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
        return Structures("judged", self.frames).digest

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
    label = [f"structure {i}" if len(own) > 1 else "the structure" for i in range(len(own))]
    small = pieces(own, r_max, most_edges / SHARE)
    words = [told(name, o, s) for s, o, name in zip(small, own, label, strict=True)]
    if any(len(s) < len(o) for s, o in zip(small, own, strict=True)):
        notes.append("structures are large: most copies, and all close contacts, are of pieces of them, as open clusters")
    made = [
        StructureSet("own", tuple(own), tuple(label), tuple(range(len(own))), alone=True),
        _rattled(own, small, words, room, seed, notes),
        _fewer(small, words, room),
        _contacts(small, words, room),
        _supercell(own, label, room, seed, notes),
    ]
    return Sets(tuple(s for s in made if s.frames), tuple(notes))


def _own(frames: Sequence[Atoms], room: _Room, notes: list[str]) -> list[Atoms]:
    """As many as fit into half of the room, evenly spaced; one at least, a piece of it where it is larger than all of the room."""
    sizes = [room.size(f) for f in frames]
    chosen = list(range(len(frames)))
    while len(chosen) > 1 and sum(sizes[i] for i in chosen) > room.left / 2:
        chosen = sorted({round(x) for x in np.linspace(0, len(frames) - 1, len(chosen) // 2)})
    if len(chosen) < len(frames):
        notes.append(f"{len(chosen)} of {len(frames)} structures are judged, evenly spaced: more would take too long")
    own = [frames[i] for i in chosen]
    if len(own) == 1 and sizes[chosen[0]] > room.left:
        own = pieces(own, room.r_max, room.left / 4)
        notes.append(f"of {len(frames[chosen[0]])} atoms {len(own[0])} are judged, as an open cluster: all of them would take too long")
    for frame in own:
        room.takes(frame, anyway=True)
    return own


def pieces(own: Sequence[Atoms], r_max: float, most: float) -> list[Atoms]:
    """Each of the user's structures where it has few enough edges, a piece of it where not; of a crystal of one atom to a cell, eight cells."""
    made = []
    for number, given in enumerate(own):
        frame = repeated(given, _twice(given)) if len(given) == 1 and given.pbc.any() else given
        count, atom = len(frame), (7 * number) % max(1, len(frame))
        whole = frame
        while (size := edges(frame, r_max)) > most and count > 2:
            count = max(2, min(count * 2 // 3, round(count * most / size)) if frame is whole else count * 2 // 3)
            frame = piece(whole, atom, count)
        made.append(frame)
    return made


def told(name: str, whole: Atoms, made: Atoms) -> str:
    """A structure's name, and in words how much of it was taken."""
    if len(made) == len(whole):
        return name
    return f"{len(made)} atoms of {name}" if len(made) < len(whole) else f"{len(made) // len(whole)} cells of {name}"


def _twice(frame: Atoms) -> tuple[int, int, int]:
    """Two cells along every periodic vector."""
    return (1 + int(frame.pbc[0]), 1 + int(frame.pbc[1]), 1 + int(frame.pbc[2]))


def _rattled(own: Sequence[Atoms], small: Sequence[Atoms], words: Sequence[str], room: _Room, seed: int, notes: list[str]) -> StructureSet:
    """Copies of each in turn, every other round strained, the first few of it whole; a lone atom has none, for it would be the same."""
    parents = [i for i, f in enumerate(small) if len(f) > 1]
    wanted = max(ENOUGH - len(own), WHOLE) if parents else 0
    made: list[tuple[Atoms, str, int]] = []
    for n in range(wanted):
        parent, turn = parents[n % len(parents)], n // len(parents)
        whole = n < WHOLE and (n == 0 or room.size(own[parent]) < room.left / 3) and len(own[parent]) > 1
        original = own[parent] if whole else small[parent]
        copy = rattled(original, np.random.default_rng(seed_of("copies", seed, n)), strained=turn % 2 == 1)
        room.takes(copy, anyway=True)  # pieces are a few dozen small parts of all edges
        name = ("the structure" if len(own) == 1 else f"structure {parent}") if whole else words[parent]
        made.append((copy, f"copy {n} of {name}, rattled", parent))
    if len(own) + len(made) < ENOUGH:
        notes.append(f"{len(own) + len(made)} structures for energies instead of {ENOUGH}: an atom alone has no copies that differ")
    return _set("rattled", made)


def _fewer(own: Sequence[Atoms], label: Sequence[str], room: _Room) -> StructureSet:
    """One atom left out of the first structures that have three or more."""
    made: list[tuple[Atoms, str, int]] = []
    fitting = [i for i, f in enumerate(own) if len(f) > 2]
    for n in range(FEWER if fitting else 0):
        parent = fitting[n % len(fitting)]
        atom = (n * len(own[parent])) // FEWER
        frame = fewer(own[parent], atom)
        room.takes(frame, anyway=True)
        made.append((frame, f"{label[parent]} without atom {atom}", parent))
    return _set("fewer", made, alone=True)


def _supercell(own: Sequence[Atoms], label: Sequence[str], room: _Room, seed: int, notes: list[str]) -> StructureSet:
    """The smallest periodic structure twice along each of its periodic vectors, or along as many as fit into what is left."""
    periodic = sorted((i for i, f in enumerate(own) if f.pbc.any()), key=lambda i: len(own[i]))
    if not periodic:
        return StructureSet("supercell", (), ())
    frame, axes = own[periodic[0]], [int(a) for a in np.flatnonzero(own[periodic[0]].pbc)]
    while axes and room.size(frame) * 2 ** len(axes) > room.left:
        axes.pop()
    if len(axes) < int(frame.pbc.sum()):
        notes.append(
            "a supercell of two cells along every vector is left out: it would take too long" + ("; a smaller one is judged" if axes else "")
        )
    if not axes:
        return StructureSet("supercell", (), ())
    counts = (1 + (0 in axes), 1 + (1 in axes), 1 + (2 in axes))
    made = rattled(repeated(frame, counts), np.random.default_rng(seed_of("copies", seed, "supercell")), strained=False)  # no copy of its cells
    room.takes(made, anyway=True)
    return _set("supercell", [(made, f"{' x '.join(map(str, counts))} cells of {label[periodic[0]]}", periodic[0])], alone=True)


def _contacts(own: Sequence[Atoms], label: Sequence[str], room: _Room) -> StructureSet:
    """Of the first structure with most elements."""
    made: list[tuple[Atoms, str, int]] = []
    fitting = [i for i, f in enumerate(own) if len(f) > 1]
    if fitting:
        parent = max(fitting, key=lambda i: len(set(own[i].numbers)))
        for words, frame in contacts(own[parent], CONTACT_PAIRS):
            room.takes(frame, anyway=True)
            made.append((frame, f"{label[parent]} with {words}", parent))
    return _set("contacts", made, alone=True)  # gradients that are no numbers spread over a batch


def _set(kind: Kind, made: Sequence[tuple[Atoms, str, int]], alone: bool = False) -> StructureSet:
    return StructureSet(kind, tuple(m[0] for m in made), tuple(m[1] for m in made), tuple(m[2] for m in made), alone)
