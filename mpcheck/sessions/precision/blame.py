"""Whom a drifted cell blames: the block itself, or one before it that computes otherwise on the inputs that it always had.

A ratio belongs to the inputs that it was recorded on. References are captured from the model as it is, so that a block that computes
otherwise moves the inputs of all that come after it, and the energy's cotangents of all that come before; their ratios are then drawn
anew. Baselines hold prints of both. A block whose inputs stood and whose float64 results moved is the culprit and red for it, whatever
its ratios are; a sound block behind it is not.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch

from mpcheck._raised import attempt
from mpcheck.checks.precision import CellKey
from mpcheck.formats import FLOAT64
from mpcheck.judge.replay import BACKWARD, FORWARD
from mpcheck.judge.scale import noise_scale
from mpcheck.records.record import Record
from mpcheck.reference.build import ENERGY
from mpcheck.reference.library import BlockReference
from mpcheck.reference.prints import COTANGENT, INPUT, MOVED, VALUE, Print, distance, moved, prints_of, size
from mpcheck.sessions.precision.drift import Drifted
from mpcheck.sessions.precision.limits import judge_by_limits
from mpcheck.sessions.precision.orders import orders_of, reordered
from mpcheck.sessions.run import Session

NOISE = 16.0
"""Float64 noise scales that a sound rewriting may move a result by; it errs by about one. Also of what the arguments' own movement, too
small to count as one, does to a result."""


@dataclass(frozen=True)
class BlockMovement:
    """What of a block moved since the baseline was recorded.

    Attributes:
        inputs, energy: the first argument, and the first energy cotangent, that moved; empty where all stand.
        values: by direction, the first float64 result that moved although the inputs stand, and how far. Where rows came in another
            order, results of the forward direction alone: random cotangents are drawn by row.
    """

    inputs: str
    energy: str
    values: Mapping[str, str]

    def behind(self, quantity: str) -> bool:
        """Whether what a quantity was computed from moved."""
        return bool(self.inputs) or (f".{ENERGY}." in quantity and bool(self.energy))

    @property
    def what(self) -> str:
        """What moved of what it was computed from, in words."""
        return self.inputs or f"the energy's gradient with respect to {self.energy}"


class Blame:
    """Compares a session's references with the prints in a baseline.

    Args:
        stored: prints by ``SYSTEM/BLOCK``. Where it has none of a block, nothing is known of it: nothing is excused, nobody blamed.
    """

    def __init__(self, session: Session, stored: Mapping[str, Mapping[str, Print]]) -> None:
        self.session = session
        self.stored = stored
        self._standings: dict[tuple[str, str], BlockMovement | None] = {}
        self._judged: dict[CellKey, bool] = {}

    def standing(self, system: str, block: str) -> BlockMovement | None:
        """What moved of a block; None where the baseline has no prints of it, or it has no reference."""
        place = (system, block)
        if place not in self._standings:
            before = self.stored.get(f"{system}/{block}")
            library = self.session.library(system)
            known = before is not None and not library.refused(block)
            self._standings[place] = self._compare(before, library.get(block)) if known and before is not None else None
        return self._standings[place]

    def _compare(self, before: Mapping[str, Print], reference: BlockReference) -> BlockMovement:
        now = prints_of(reference) | orders_of(reference)
        inputs, order = moved(before, now, INPUT), reordered(before, now)
        values: dict[str, str] = {}
        small = _small_movement(before, now)
        for name in () if inputs else dict.fromkeys(n for n in (*now, *before) if n.startswith(VALUE)):
            direction = BACKWARD if name.startswith((f"{VALUE}grad.", f"{VALUE}weight.")) else FORWARD
            if order and direction == BACKWARD:
                continue
            if direction not in values and (said := self._value(before.get(name), now.get(name), name.removeprefix(VALUE), reference, small)):
                values[direction] = said
        if order and values:  # arguments that no longer belong together, or a block that minds the order: which cannot be told
            inputs, values = f"the order of rows of {order}", {}
        return BlockMovement(inputs, moved(before, now, COTANGENT), values)

    def _value(self, before: Print | None, now: Print | None, name: str, reference: BlockReference, small: float) -> str:
        if before is None or now is None:
            return f"{name} {'is new' if before is None else 'is gone or not finite'}"
        far, whole = distance(before, now), size(before, now)
        if far <= MOVED * whole or far <= NOISE * self._noise(reference, name) or far <= NOISE * small * _response(reference, name):
            return ""
        return f"{name} moved by {far / whole:.2g} of its size" if whole > 0 and far < float("inf") else f"{name} has another shape or kind"

    def _noise(self, reference: BlockReference, name: str) -> float:
        """RMS of what float64 rounding does to a result."""
        own = _own(reference, name)
        if own is None:
            return 0.0
        roundoff = self.session.reference_backend.roundoff(reference.block, FLOAT64)
        return noise_scale(reference.noise[own], reference.statistics[own], roundoff, reference.values[own]).rms

    def culprits(self, system: str, among: Sequence[str]) -> Iterator[str]:
        """Blocks that compute otherwise, in the order of calls; of nested ones the innermost. References are made as far as one asks."""
        names = self._names(system)
        for name in among:
            if self._culprit(system, name) and not any(_inside(other, name) and self._culprit(system, other) for other in names):
                yield name

    def _culprit(self, system: str, block: str) -> bool:
        standing = attempt(lambda: self.standing(system, block))
        return isinstance(standing, BlockMovement) and bool(standing.values)  # what it raises, its own cells say

    def _names(self, system: str) -> list[str]:
        return [b.name for b in self.session.blocks(system)]

    def _within(self, key: CellKey) -> Iterator[str]:
        return self.culprits(key.system, [n for n in self._names(key.system) if _inside(n, key.block)])

    def accused(self, key: CellKey) -> str:
        """Why a cell is red whatever its ratios are: its block computes otherwise on the same inputs, and no block inside it does."""
        standing = self.standing(key.system, key.block)
        said = standing.values.get(key.direction, "") if standing else ""
        if not said or any(self._within(key)):
            return ""
        return f"on the same inputs as when the baseline was recorded the float64 reference differs: {said}; fix it or record the baseline anew"

    def excused(self, key: CellKey, drifts: Sequence[Drifted]) -> str:
        """Why a drifted cell is not to blame; empty where it is.

        Only where the culprit is a block of this run whose cell in the same format and backend is red for it: an excuse never
        leaves a run without the red that it points to.
        """
        standing = self.standing(key.system, key.block)
        if standing is None or not drifts:
            return ""
        if standing.values or standing.inputs:
            for culprit in self._within(key):
                if self._red(key, culprit):
                    return f"{culprit} inside it computes otherwise and is to blame"
        if not all(standing.behind(d.quantity) for d in drifts):
            return ""
        names = self._names(key.system)
        before = names[: names.index(key.block)] if key.block in names else []
        chosen = next((c for c in self.culprits(key.system, before if standing.inputs else names) if self._red(key, c)), "")
        return f"its inputs moved ({standing.what}): {chosen}, whose own did not, computes otherwise and is to blame" if chosen else ""

    def elsewhere(self, key: CellKey, drifts: Sequence[Drifted]) -> str:
        """What must be said of a drifted cell that no block of this run excuses, though its inputs moved: it is red, and may be sound."""
        standing = self.standing(key.system, key.block)
        if standing is None or not drifts or not all(standing.behind(d.quantity) for d in drifts):
            return ""
        return f"its inputs moved ({standing.what}), and no block of this run computes otherwise: what gives them is to blame, not this block"

    def _red(self, key: CellKey, culprit: str) -> bool:
        """Whether the culprit has a cell that this run judges; in the backend and format of the one that it excuses, or in others.

        It may not run in 16 bits, say, and those behind it do.
        """
        standing, session = self.standing(key.system, culprit), self.session
        pairs = dict.fromkeys([(key.backend, key.format), *((b, f.name) for b in session.backend_names for f in session.formats)])
        directions = standing.values if standing else ()
        return any(self._judges(CellKey(key.system, culprit, backend, fmt, d)) for backend, fmt in pairs for d in directions)

    def _judges(self, key: CellKey) -> bool:
        if key not in self._judged:
            cell = attempt(lambda: judge_by_limits(self.session, key))
            self._judged[key] = isinstance(cell, Record) and bool(cell.quantities)  # what it raises, its own cell says
        return self._judged[key]


def _small_movement(before: Mapping[str, Print], now: Mapping[str, Print]) -> float:
    """The largest movement of an argument that is too small to count as one, of its size."""
    pairs = [(before[n], now[n]) for n in now if n.startswith(INPUT) and n in before]
    return max((distance(*p) / size(*p) for p in pairs if size(*p) > 0), default=0.0)


def _own(reference: BlockReference, name: str) -> str | None:
    """A result by the name that the reference has for it, of that of its print."""
    return next((n for n in reference.values if n in (name, name.replace(".", ".random.", 1))), None)


def _response(reference: BlockReference, name: str) -> float:
    """RMS of what a movement of all arguments by their own size would do to a result, to first order: its noise by what is stored."""
    own = _own(reference, name)
    stored = reference.noise[own].get("stored") if own is not None else None
    return 0.0 if stored is None or not stored.numel() else math.sqrt(3 * float(stored.to(torch.float64).square().mean()))


def _inside(name: str, composite: str) -> bool:
    return name.startswith(f"{composite}.")
