"""The map of a profiled model: one row a block, in a tree, whose own times add up to the end-to-end time."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mpcheck.bench.keys import BenchKey
from mpcheck.bench.profile.attribution import ROOT, UNATTRIBUTED, CallCost, Phase, TimeCost, group_of

THRESHOLD = 0.8
"""Share of the time from which on the device is what a run waits for; the rule of Sec. 3.3.1 of the thesis that this map repeats."""


@dataclass(frozen=True)
class MapRow:
    """One block. Seconds, mean over the calls of the model that were kept.

    Attributes:
        block: its name; ``model`` for what no block does; ``(unattributed)`` for the backward pass's time that is nobody's.
        parent: the block around it; empty for the model and what is unattributed.
        group: the part of the model that it belongs to; depth: of the tree.
        calls: per call of the model.
        dtypes: of its floating-point outputs.
        forward, backward: its own cost, without the blocks inside it, per call of the model.
        total: forward and backward, with the blocks inside it.
        share: own host time over the end-to-end time; all rows' shares add up to 1.
        bound: by the rule of :func:`bound`, over the total.
    """

    block: str
    parent: str
    group: str
    depth: int
    calls: float
    dtypes: tuple[str, ...]
    forward: TimeCost
    backward: TimeCost
    total: TimeCost
    share: float
    bound: str


@dataclass(frozen=True)
class ProfileMap:
    """Where the time of one workload goes.

    Attributes:
        device: ``cpu`` or ``cuda``.
        end_to_end: seconds of one call while profiled, mean over the calls that were kept: the fastest quarter.
        unprofiled: seconds of one call without ranges and profiler, mean over the fastest quarter of the calls in between.
        samples: seconds of each of those.
        calls: how many profiled calls were kept; of: how many were made.
        bound: the whole run's.
    """

    key: BenchKey
    device: str
    rows: list[MapRow]
    end_to_end: float
    unprofiled: float
    samples: tuple[float, ...]
    calls: int
    of: int
    bound: str

    @property
    def overhead(self) -> float:
        """How many times slower a call is while it is profiled."""
        return self.end_to_end / self.unprofiled


def bound(device: str, cost: TimeCost) -> str:
    """What limits a piece of work.

    On a GPU: ``GPU-bound`` where kernels take 80 % of its host time or more, else ``CPU-bound`` (dispatch). On a CPU the
    operations that compute or move data take the kernels' place: ``kernel-bound`` or ``overhead-bound``; ``-`` where no time was spent.
    """
    if cost.host <= 0 and cost.device <= 0:
        return "-"
    busy = cost.device >= THRESHOLD * cost.host
    if device == "cpu":
        return "kernel-bound" if busy else "overhead-bound"
    return "GPU-bound" if busy else "CPU-bound"


def kept(number: int) -> int:
    """How many of so many calls are kept: the fastest quarter, at least one. Interruptions only add time, and hit a block by chance."""
    return (number + 3) // 4


def fastest_calls(calls: Sequence[CallCost]) -> list[CallCost]:
    """The fastest quarter. Whole calls, because a mean over them adds up over the blocks, as a minimum of every block would not."""
    return sorted(calls, key=lambda c: c.duration)[: kept(len(calls))]


def fastest_mean(seconds: Sequence[float]) -> float:
    """Mean of the fastest quarter."""
    return statistics.fmean(sorted(seconds)[: kept(len(seconds))])


def rows_of(calls: Sequence[CallCost], device: str, dtypes: Mapping[str, set[str]] = {}) -> list[MapRow]:
    """Rows in the order in which the blocks first ran, each composite before its blocks; ``model`` first, ``(unattributed)`` last.

    Args:
        calls: at least one, of the same work.
        device: ``cpu`` or ``cuda``.
        dtypes: of the blocks' outputs.
    """
    weight = 1e-6 / len(calls)
    own: dict[tuple[str, Phase], TimeCost] = {}
    parents: dict[str, str] = {}
    count: dict[str, float] = {}
    for call in calls:
        for key, cost in call.own.items():
            own.setdefault(key, TimeCost()).add(TimeCost(cost.host, cost.device, cost.waiting, cost.launches * 1e6), weight)
        parents.update(call.parents)
        for block, number in call.calls.items():
            count[block] = count.get(block, 0.0) + number / len(calls)
    for phase in ("forward", "backward"):
        own.setdefault((UNATTRIBUTED, phase), TimeCost())
    blocks = list(dict.fromkeys(block for block, _ in own))
    totals = {block: TimeCost() for block in blocks}
    for (block, _), cost in own.items():
        for name in _upwards(block, parents):
            totals.setdefault(name, TimeCost()).add(cost)
    everything = sum(call.duration for call in calls) * weight
    ordered = [b for b in _tree(blocks, parents) if b != UNATTRIBUTED] + [UNATTRIBUTED]
    rows = []
    for block in ordered:
        forward, backward = own.get((block, "forward"), TimeCost()), own.get((block, "backward"), TimeCost())
        total = totals[block]
        if block == ROOT:
            total.add(totals[UNATTRIBUTED])
        above = parents.get(block, "")
        group = UNATTRIBUTED if block == UNATTRIBUTED else group_of(block)
        rows.append(
            MapRow(
                block, above, group, len(_upwards(block, parents)) - 1, count.get(block, 0.0), tuple(sorted(dtypes.get(block, ()))),
                forward, backward, total, (forward.host + backward.host) / everything,
                "-" if block == UNATTRIBUTED else bound(device, total),
            )
        )  # fmt: skip
    return rows


def _upwards(block: str, parents: Mapping[str, str]) -> list[str]:
    """A block and everything around it."""
    chain = [block]
    while (above := parents.get(chain[-1])) is not None and above not in chain:
        chain.append(above)
    return chain


def _tree(blocks: Sequence[str], parents: Mapping[str, str]) -> list[str]:
    """Blocks so that each comes after the one around it and before what follows that one."""
    inside: dict[str, list[str]] = {}
    for block in blocks:
        inside.setdefault(parents.get(block, ""), []).append(block)
    ordered: list[str] = []

    def visit(block: str) -> None:
        ordered.append(block)
        for child in inside.get(block, ()):
            if child not in ordered:
                visit(child)

    for block in [*inside.get("", ()), *blocks]:  # no block is lost, not even of a tree that is none
        if block not in ordered:
            visit(block)
    return ordered
