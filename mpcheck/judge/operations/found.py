"""Replay a block, operation by operation, and tell which one its error comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch

from mpcheck.adapters.backends.protocol import BackendModel
from mpcheck.adapters.slots import PLAIN
from mpcheck.formats import FLOAT64, Format
from mpcheck.judge.element_names import ElementNames
from mpcheck.judge.metrics import compare
from mpcheck.judge.operations.places import Place, Places
from mpcheck.judge.operations.stored import Stored, Wrong
from mpcheck.judge.operations.watch import OperationWatch, Seen
from mpcheck.judge.replay import FORWARD, replay_calls
from mpcheck.judge.scale import noise_scale
from mpcheck.judge.tolerances import RatioLimits
from mpcheck.reference.library import BlockReference

MOST = 8
"""How many groups of operations are followed through the block: each takes a replay."""


@dataclass(frozen=True)
class Group:
    """Operations of one name at one place, none of which errs too much by itself.

    Attributes:
        name, place, count: what they are, and how many.
        quantity: the result that they disturb most. ratio: its error from them alone, in units of the block's noise scale.
    """

    name: str
    place: Place
    count: int
    quantity: str
    ratio: float


@dataclass
class Found:
    """What a replay showed.

    Attributes:
        operations: all of the block, in their order.
        stored: parameters and tables that are not what the format makes of them.
        skipped: names and numbers of operations that nothing can be said of.
        formula: results whose float64 values, by the judged code's own operations, are not the reference's.
        groups: by what they add to the results, largest first; only asked for where no operation and no formula is to blame.
    """

    operations: list[Seen]
    stored: list[Wrong]
    skipped: dict[str, int]
    formula: list[str] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)

    @property
    def first(self) -> Seen | None:
        """The first operation that errs by more than its noise explains."""
        return next((o for o in self.operations if o.failures), None)

    @property
    def random(self) -> list[str]:
        """Torch's own operations that give other numbers each time, from which no other replay can be told apart."""
        return [name for name in self.skipped if name.startswith("aten.")]

    @property
    def breaking(self) -> Seen | None:
        """The first operation that makes what is not finite of operands that are."""
        return next((o for o in self.operations if o.breaks), None)


class Replayed:
    """One cell, replayed under watch as often as it is asked."""

    def __init__(
        self, backend: BackendModel, reference: BlockReference, fmt: Format, direction: str, limits: RatioLimits, exact: RatioLimits
    ) -> None:
        """Args:
        limits: of the cell. exact: of the same block in float64.
        """
        self.backend, self.reference, self.fmt, self.direction = backend, reference, fmt, direction
        self.limits, self.exact = limits, exact
        module = backend.module(reference.block)
        own = reference.block.module_path if module is not None else ""
        self.names = {} if module is None else {id(m): ".".join(filter(None, (own, n))) for n, m in module.named_modules()}

    def _watched(self, follow: tuple[str, Place] | None = None, again: bool = False) -> tuple[OperationWatch, Stored, dict[str, torch.Tensor]]:
        """A replay; the shadows of its results."""
        watch = OperationWatch(self.fmt, self.limits, Places(self.names), follow)
        stored = Stored(self.backend, self.reference.block, self.fmt)
        calls = replay_calls(self.backend, self.reference, self.fmt, self.direction, again, stored.watched(watch))
        results = calls.results if self.direction != FORWARD or not again else calls.later
        return watch, stored, {n: watch.shadows.get(t) for n, t in results.items()}

    def found(self, failed: Mapping[str, float], again: bool = False) -> Found:
        """What the cell's error comes from.

        Args:
            failed: limits on the RMS ratio of the results that are red; none of a green cell.
            again: the second call is what is wrong.
        """
        watch, stored, exact = self._watched(again=again)
        found = Found(watch.seen, stored.wrong, watch.skipped)
        if not failed or found.first is not None or found.stored or found.random:
            return found
        if not watch.skipped:
            found.formula = [n for n, value in exact.items() if n in failed and self._differs(n, value)]
        if not found.formula:
            found.groups = self._groups(watch.seen, exact, failed, again)
        return found

    def _differs(self, name: str, value: torch.Tensor) -> bool:
        reference, block = self.reference, self.reference.block
        roundoff = self.backend.roundoff(block, FLOAT64)
        scale = noise_scale(reference.noise[name], reference.statistics[name], roundoff, reference.values[name])
        quantity = compare(name, value.to(reference.values[name].device), reference.values[name], scale, FLOAT64, self.exact, _NAMES)
        return bool(quantity.failures)

    def _groups(self, seen: list[Seen], exact: Mapping[str, torch.Tensor], failed: Mapping[str, float], again: bool) -> list[Group]:
        """What operations that are alike add to the red results together."""
        members: dict[tuple[str, Place], list[Seen]] = {}
        for one in seen:
            if one.size > 0:
                members.setdefault(one.group, []).append(one)
        largest = sorted(members, key=lambda g: -sum(o.size**2 for o in members[g]))[:MOST]
        groups = []
        for group in largest:
            _, _, shadows = self._watched(group, again)
            ratios = {n: self._ratio(n, shadows[n] - exact[n]) / failed[n] for n in failed if n in shadows and n in exact}
            if ratios:
                worst = max(ratios, key=lambda n: ratios[n])
                groups.append(Group(*group, len(members[group]), worst, ratios[worst] * failed[worst]))
        return sorted(groups, key=lambda g: -g.ratio / failed[g.quantity])

    def _ratio(self, name: str, error: torch.Tensor) -> float:
        reference, roundoff = self.reference, self.backend.roundoff(self.reference.block, self.fmt)
        scale = noise_scale(reference.noise[name], reference.statistics[name], roundoff, reference.values[name])
        return float(error.square().mean().sqrt()) / scale.rms if scale.rms else 0.0


_NAMES = ElementNames(PLAIN, [], "row")
