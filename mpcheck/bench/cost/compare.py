"""Two fingerprints of one benchmark compared, exactly: counts have no noise, so one launch more is a change of the code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mpcheck._errors import InputError
from mpcheck.bench.figures import Fingerprint

NAMED = 6
"""Operations listed in one line; the rest is counted."""
CALLED = {"_local_scalar_dense": "a number read (item, bool, int or float)", "index": "a boolean index", "index_put_": "a boolean index"}
"""What code calls where it makes a round trip, by the operation's name."""
LARGER = "the same operations on tensors of other sizes or types"
HELD = "the same operations; tensors are held for another time, or are of other sizes"


@dataclass(frozen=True)
class CostChange:
    """What changed from one fingerprint to another, a line each; empty where nothing did.

    Attributes:
        worse, better: more, or less, of something that costs.
        notes: other operations at the same cost, and what only one side measured.
    """

    worse: list[str] = field(default_factory=list)
    better: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """Every line, the bad news first."""
        return [*self.worse, *self.better, *self.notes]


def compare_fingerprints(base: Fingerprint, head: Fingerprint) -> CostChange:
    """What a call costs now against what it cost before. Any increase is worse; no margin, because nothing is timed.

    Raises:
        InputError: one was counted on a GPU and the other on a CPU.
    """
    if bool(base.kernels) != bool(head.kernels) and base.operations and head.operations:
        where = "base" if base.kernels else "head"
        raise InputError(f"fingerprint: only the {where}'s lists kernels; a GPU's and a CPU's cannot be compared: store a baseline for each device")
    change = CostChange()
    before, now = (base.kernels, head.kernels) if head.kernels else (base.operations, head.operations)
    _count(change, "launch", head.launches - base.launches, named(before, now))
    for kind in sorted({*base.casts, *head.casts}):
        _count(change, "cast", head.casts.get(kind, 0) - base.casts.get(kind, 0), kind, of=" ")
    _waits(change, base, head)
    why = named(base.operations, head.operations)
    _amount(change, "multiply-adds", base.multiply_adds, head.multiply_adds, _PLAIN, why or LARGER)
    _amount(change, "bytes moved", base.bytes_moved, head.bytes_moved, _BYTES, why or LARGER)
    _amount(change, "peak memory", base.peak_bytes, head.peak_bytes, _BYTES, why or HELD)
    if base.graph_breaks is not None and head.graph_breaks is not None:
        _count(change, "graph break", head.graph_breaks - base.graph_breaks, f"{base.graph_breaks} -> {head.graph_breaks}")
    elif base.graph_breaks is not head.graph_breaks:
        change.notes.append(f"graph breaks {_or_none(base.graph_breaks)} -> {_or_none(head.graph_breaks)}: not asked for, or it cannot be traced")
    if head.launches == base.launches and (mix := named(before, now)):
        change.notes.append(f"as many launches, of other operations: {mix}")
    elif head.kernels and why:
        change.notes.append(f"operations: {why}")
    return change


def _waits(change: CostChange, base: Fingerprint, head: Fingerprint) -> None:
    """Round trips to the host, and waits of the runtime; where one side is of before round trips were counted, operations that wait."""
    if base.round_trips is None or head.round_trips is None:
        for name in sorted({*base.syncs, *head.syncs}):
            _count(change, "host-device synchronisation", head.syncs.get(name, 0) - base.syncs.get(name, 0), name)
        if base.round_trips is not head.round_trips:
            change.notes.append(f"host round trips: the {'base' if base.round_trips is None else 'head'} is older than their count")
        return
    told = {*base.round_trips, *head.round_trips}
    for name in sorted(told):
        _count(change, "host round trip", head.round_trips.get(name, 0) - base.round_trips.get(name, 0), CALLED.get(name, name))
    for name in sorted({*base.syncs, *head.syncs} - told):
        _count(change, "host-device synchronisation", head.syncs.get(name, 0) - base.syncs.get(name, 0), name)


def named(base: Mapping[str, int], head: Mapping[str, int]) -> str:
    """``_to_copy 1 -> 2, mul 14 -> 15``: counts that differ, the largest difference first; empty where none does."""
    changed = [(n, base.get(n, 0), head.get(n, 0)) for n in {*base, *head} if base.get(n, 0) != head.get(n, 0)]
    changed.sort(key=lambda c: (-abs(c[2] - c[1]), c[0]))
    told = ", ".join(f"{n} {a} -> {b}" for n, a, b in changed[:NAMED])
    return told + (f" and {len(changed) - NAMED} more" if len(changed) > NAMED else "")


def _count(change: CostChange, what: str, difference: int, detail: str, of: str = ": ") -> None:
    if not difference:
        return
    plural = "" if abs(difference) == 1 else "es" if what.endswith("ch") else "s"
    line = f"{abs(difference)} {'more' if difference > 0 else 'fewer'} {what}{plural}{of}{detail}"
    (change.worse if difference > 0 else change.better).append(line)


def _amount(change: CostChange, what: str, base: int, head: int, units: tuple[str, ...], why: str) -> None:
    if base == head:
        return
    share = f"{(head - base) / base:+.1%}".replace("%", " %") if base else "new"
    before, now = _text(base, units), _text(head, units)
    if before == now:  # too close for three digits
        before, now = f"{base:,}{units[0]}", f"{head:,}{units[0]}"
    line = f"{what} {before} -> {now} ({share}): {why}"
    (change.worse if head > base else change.better).append(line)


_BYTES = (" B", " kB", " MB", " GB", " TB")
_PLAIN = ("", " k", " M", " G", " T")


def _text(value: int, units: tuple[str, ...]) -> str:
    """Three digits and a unit."""
    scaled, unit = float(value), 0
    while scaled >= 1000 and unit + 1 < len(units):
        scaled, unit = scaled / 1000, unit + 1
    return f"{scaled:.3g}{units[unit]}"


def _or_none(value: int | None) -> str:
    return "not counted" if value is None else str(value)
