"""Which blocks a fault is in: those that run its code, or whose results change bit by bit, from the same arguments."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from weakref import WeakKeyDictionary

import torch

from mpcheck._unsupported import Unsupported
from mpcheck.formats import get_format
from mpcheck.judge.metrics import bits_digest
from mpcheck.judge.replay import DIRECTIONS, replay
from mpcheck.sessions.run import Session
from tests.faults.catalogue import Plant
from tests.faults.patches.planting import times_run

CALLS = 4  # of each cell: a fault may come with the third call of a process
Digest = tuple[tuple[str, str], ...]
Place = tuple[str, str, str, str, str]
_CLEAN: WeakKeyDictionary[Session, dict[Place, Digest]] = WeakKeyDictionary()


def _digest(session: Session, place: Place) -> Digest:
    """Names and bits of everything that a block gives; what it raises, where it does."""
    system, block, backend, fmt, direction = place
    built = session.backend(backend)
    library = session.library(system)
    if isinstance(built, Unsupported) or library.refused(block) or built.unsupported(library.block(block), get_format(fmt)):
        return ()
    with torch.random.fork_rng(devices=[]):
        try:
            found = replay(built, library.get(block), get_format(fmt), direction)
        except (RuntimeError, TypeError, ValueError, IndexError, AssertionError, NotImplementedError) as error:
            return (("raised", type(error).__name__),)
    return tuple(sorted((name, bits_digest(t)) for name, t in found.items()))


def touched(
    clean: Session, faulty: Session, plant: Plant, planted: Callable[[], contextlib.AbstractContextManager[None]], formats: Sequence[str]
) -> list[str]:
    """Blocks whose replays run the fault's code or change in any of some formats, in the order of the model.

    Bits alone would leave out a block in which a fault waits for an input of another kind: strided, or an edge along an axis.

    Args:
        clean: the session without the fault; faulty: the same one, or one whose backend was built with it.
    """
    held = _CLEAN.setdefault(clean, {})
    names = [b.name for b in clean.library(plant.system).blocks()]
    places = [(plant.system, block, plant.backend, fmt, direction) for block in names for fmt in formats for direction in DIRECTIONS]
    for place in places:
        if place not in held:
            held[place] = _digest(clean, place)
    found = set()
    with planted():
        for place in places:
            before = times_run()
            if place[1] not in found and any(_digest(faulty, place) != held[place] or times_run() > before for _ in range(CALLS)):
                found.add(place[1])
    return [name for name in names if name in found]


def expected(session: Session, plant: Plant) -> list[str]:
    """Blocks that the catalogue expects to be named; none where it expects a property."""
    return [b.name for b in session.library(plant.system).blocks() if fnmatchcase(b.name, plant.expected)]
