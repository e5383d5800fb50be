"""Whose time is it? From a profiler's events to the time of every block, forward and backward. Pure functions of lists of events."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["range", "node", "compute", "waiting", "other"]
Phase = Literal["forward", "backward"]
Segment = tuple[float, float, int]  # from, to, index of the innermost event

ROOT = "model"
"""Name of the range around one whole call. What happens outside every block inside it belongs to it."""
UNATTRIBUTED = "(unattributed)"


@dataclass(frozen=True)
class Event:
    """One interval on one host thread; times in µs on one clock.

    Attributes:
        name: of the operation or, of a range, the block's (``model`` for a whole call).
        kind: ``range``: a block or call; ``node``: autograd evaluates one node of the backward graph; ``compute``: an operation
            that computes or moves data on the CPU itself; ``waiting``: the host waits for a GPU; ``other``: everything else.
        sequence: autograd's number: of a node its own, of a forward operation the number that the next node will get; -1 without one.
        origin: the thread on which a node was made in the forward pass.
        device: µs of the GPU kernels, copies and fills that it launched itself; launches: how many.
    """

    name: str
    start: float
    end: float
    thread: int = 0
    kind: Kind = "other"
    sequence: int = -1
    origin: int = 0
    device: float = 0.0
    launches: int = 0


@dataclass
class TimeCost:
    """µs on the host, of the kernels (on a CPU: of the operations that compute or move data), of waiting for the GPU; launches."""

    host: float = 0.0
    device: float = 0.0
    waiting: float = 0.0
    launches: float = 0.0

    def add(self, other: TimeCost, weight: float = 1.0) -> None:
        """Add another one, weighted."""
        self.host += weight * other.host
        self.device += weight * other.device
        self.waiting += weight * other.waiting
        self.launches += weight * other.launches


@dataclass
class CallCost:
    """One call of the model.

    Attributes:
        duration: µs from its begin to its end.
        own: each block's own cost, without the blocks inside it, in order of first appearance; their host times add up to the duration.
        parents: of each block, the block around it.
        calls: how often each block ran.
    """

    duration: float
    own: dict[tuple[str, Phase], TimeCost] = field(default_factory=dict)
    parents: dict[str, str] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)

    def cost(self, block: str, phase: Phase) -> TimeCost:
        """A block's own cost, to be added to."""
        return self.own.setdefault((block, phase), TimeCost())


def nested(events: Sequence[Event]) -> tuple[list[int], list[Segment]]:
    """Parents (index, -1 without) of the events of one thread, and the partition of its time by the innermost event.

    Events must come ordered by begin, outer ones first. One that ends after the event around it is cut off there.
    """
    parents, segments, ends = [-1] * len(events), list[Segment](), [e.end for e in events]
    stack: list[int] = []
    cursor = 0.0

    def close(until: float) -> None:
        nonlocal cursor
        while stack and ends[stack[-1]] <= until:
            done = stack.pop()
            if ends[done] > cursor:
                segments.append((cursor, ends[done], done))
                cursor = ends[done]

    for index, event in enumerate(events):
        close(event.start)
        if stack:
            parents[index] = stack[-1]
            ends[index] = min(event.end, ends[stack[-1]])
            if event.start > cursor:
                segments.append((cursor, event.start, stack[-1]))
        stack.append(index)
        cursor = event.start
    close(float("inf"))
    return parents, segments


def without(segments: Iterable[Segment], busy: Sequence[tuple[float, float]]) -> list[Segment]:
    """The parts of segments that lie outside sorted, disjoint intervals."""
    outside = []
    starts = [b[0] for b in busy]
    for begin, end, index in segments:
        place = max(bisect_right(starts, begin) - 1, 0)
        for low, high in busy[place:]:
            if low >= end:
                break
            if high > begin:
                if low > begin:
                    outside.append((begin, low, index))
                begin = min(high, end)
        if end > begin:
            outside.append((begin, end, index))
    return outside


def union(intervals: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """Sorted, disjoint intervals that cover the same time."""
    merged: list[tuple[float, float]] = []
    for begin, end in sorted(intervals):
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((begin, end))
    return merged


class _Makers:
    """Which block made a node of the backward graph: autograd numbers a thread's nodes in the order in which they are made.

    A forward operation carries the number that the next node will get, so node N was made by the last operation with a
    number of N or less. TorchScript's differentiable graphs number their node before their first operation, which is the next one.
    """

    def __init__(self) -> None:
        self._numbers: dict[int, list[int]] = {}
        self._blocks: dict[int, list[str]] = {}

    def forward(self, event: Event, block: str) -> None:
        """A forward operation, in order of time."""
        numbers = self._numbers.setdefault(event.thread, [])
        if not numbers or event.sequence >= numbers[-1]:
            numbers.append(event.sequence)
            self._blocks.setdefault(event.thread, []).append(block)

    def of(self, node: Event) -> str:
        """The block that made a node; ``(unattributed)`` where no operation was seen that could have."""
        numbers = self._numbers.get(node.origin, [])
        place = bisect_right(numbers, node.sequence)
        scripted = "DifferentiableGraph" in node.name and place < len(numbers)
        if node.sequence < 0 or (place == 0 and not scripted):
            return UNATTRIBUTED
        return self._blocks[node.origin][place if scripted else place - 1]


def attribute(events: Iterable[Event], root: str = ROOT) -> list[CallCost]:
    """The cost of every call of the model, in order of time.

    Args:
        events: of any number of calls, each inside a range named ``root``, on any threads, in any order.

    Every instant of a call goes to one block: to the block of the backward node that a thread evaluates then, or else to the
    innermost range on the calling thread. What the engine spends between nodes is nobody's, and so is a node that no block made.
    """
    ordered = sorted(events, key=lambda e: (e.start, -e.end))
    roots = [e for e in ordered if e.kind == "range" and e.name == root]
    costs = []
    cursor = 0
    for call in roots:
        while cursor < len(ordered) and ordered[cursor].start < call.start:
            cursor += 1
        inside, place = list[Event](), cursor
        while place < len(ordered) and ordered[place].start < call.end:
            inside.append(ordered[place])
            place += 1
        costs.append(_one_call(call, inside))
    return costs


def _one_call(call: Event, inside: list[Event]) -> CallCost:
    result = CallCost(call.end - call.start, {}, {}, {call.name: 1})
    result.cost(call.name, "forward")
    threads: dict[int, list[Event]] = {call.thread: []}
    for event in inside:
        threads.setdefault(event.thread, []).append(event)
    makers, busy = _Makers(), list[tuple[float, float]]()
    own = {thread: _owned(events, makers, result) for thread, events in threads.items()}  # the calling thread first: the forward pass
    nodes = [e for e in inside if e.kind == "node"]
    first, last = min((e.start for e in nodes), default=0.0), max((e.end for e in nodes), default=0.0)
    for thread in [t for t in threads if t != call.thread] + [call.thread]:
        events, (owners, segments) = threads[thread], own[thread]
        clipped = [(max(a, call.start), min(b, call.end), i) for a, b, i in segments if min(b, call.end) > max(a, call.start)]
        for begin, end, index in without(clipped, busy):
            event, (block, phase) = events[index], owners[index]
            if (block, phase) == (call.name, "forward") and first <= begin and end <= last:
                block, phase = UNATTRIBUTED, "backward"  # the engine, between two nodes
            cost = result.cost(block, phase)
            cost.host += end - begin
            cost.device += end - begin if event.kind == "compute" else 0.0
            cost.waiting += end - begin if event.kind == "waiting" else 0.0
        busy = union([*busy, *((a, b) for a, b, _ in clipped)])
        for event, (block, phase) in zip(events, owners, strict=True):
            if event.device or event.launches:
                cost = result.cost(block, phase)
                cost.device += event.device
                cost.launches += event.launches
    return result


def _owned(events: list[Event], makers: _Makers, result: CallCost) -> tuple[list[tuple[str, Phase]], list[Segment]]:
    """Whose each event of a thread is, and the partition of the thread's time."""
    parents, segments = nested(events)
    owners: list[tuple[str, Phase]] = []
    for event, parent in zip(events, parents, strict=True):
        around: tuple[str, Phase] = owners[parent] if parent >= 0 else (UNATTRIBUTED, "backward")
        if event.kind == "range":
            owners.append((event.name, "forward"))
            if parent >= 0:
                result.parents.setdefault(event.name, around[0])
                result.calls[event.name] = result.calls.get(event.name, 0) + 1
                result.cost(event.name, "forward")
        elif event.kind == "node":
            owners.append((makers.of(event), "backward"))
        else:
            owners.append(around)
            if event.sequence >= 0 and around[1] == "forward":
                makers.forward(event, around[0])
    return owners, segments


def group_of(block: str) -> str:
    """The part of the model that a block belongs to: embedding, interactions.I, products.I, readouts.I, energies or model."""
    indexed = re.match(r"(interactions|products|readouts)\.\d+", block)
    if indexed:
        return indexed.group()
    if block.startswith(("node_embedding", "radial_embedding", "spherical_harmonics", "edge_vectors", "joint_embedding")):
        return "embedding"
    return "energies" if block.startswith(("atomic_energies", "scale_shift", "energy_sum", "pair_repulsion")) else ROOT
