"""The check: every block's tensors in each format, forward and backward, and at what size the format's largest number is reached."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from mpcheck._names import RANGES, REFERENCE_BACKEND
from mpcheck._text import counted
from mpcheck._unsupported import Unsupported
from mpcheck.adapters.graph import make_graph
from mpcheck.adapters.steps import step_kind
from mpcheck.checks.ranges.growth import FACTORS, Growth, allowed, atoms_of, growth, known, more_atoms, more_neighbours, reach
from mpcheck.checks.ranges.watching import COORDINATES, MODEL, WAY, Seen, Watched, watched
from mpcheck.formats import Format
from mpcheck.judge.context import Context, Inspection, Key, timed
from mpcheck.judge.refusing import refused
from mpcheck.judge.replay import BACKWARD, DIRECTIONS
from mpcheck.records.range_figures import Grows, Ranges, Reach, TensorRange
from mpcheck.records.record import Record
from mpcheck.records.tensors import finite

MOST: Mapping[Grows, float] = {"atoms": 1e6, "neighbours": 512}
"""How many there may be in what people compute: what is reached beyond is in the records, and not told."""
PLACES = frozenset({"in.positions", "in.shifts", "in.unit_shifts", "in.cell"})
"""Of a structure's coordinates it says nothing that copies of it, laid out in a row, are far from the origin."""

MOSTLY = 0.5
"""Share of a tensor's numbers below a format's normal range from which on it is said."""

Name = tuple[str, str]
"""Block and tensor."""


@dataclass(frozen=True)
class Measured:
    """One system: what was seen, and how largest magnitudes grow with atoms and with neighbours, by block and tensor."""

    seen: Seen
    atoms: Mapping[Name, Growth]
    neighbours: Mapping[Name, Growth]


_measured: WeakKeyDictionary[Context, dict[str, Measured]] = WeakKeyDictionary()


def measured(context: Context, system: str) -> Measured:
    """One pass over the system, and over larger ones; once a process."""
    held = _measured.setdefault(context, {})
    if system not in held:
        backend, model = context.reference_backend, context.model
        graph = {k: v.to(backend.device) for k, v in context.graph(system).items()}
        seen = watched(backend.model, graph, context.formats)
        frames = context.systems[system].frames
        copies, dense = {1: seen}, {1: seen}
        for times in allowed(seen.made, FACTORS):
            large = make_graph(more_atoms(frames, times, model.r_max), model.elements, model.r_max, model.heads, model.inputs)
            copies[times] = watched(backend.model, {k: v.to(backend.device) for k, v in large.items()})
        for times in allowed(seen.made, FACTORS) if seen.neighbours else ():
            dense[times] = watched(backend.model, more_neighbours(graph, times))
        held[system] = Measured(seen, _growths(copies), _growths(dense))
    return held[system]


def _growths(by_factor: Mapping[int, Seen]) -> dict[Name, Growth]:
    found = {}
    for block, tensors in by_factor[1].tensors.items():
        for name in tensors:
            sizes = {f: one.sizes.largest for f, seen in by_factor.items() if (one := seen.tensors.get(block, {}).get(name)) is not None}
            found[block, name] = growth(sizes)
    return found


def keys(context: Context) -> list[Key]:
    """The blocks of every system, and the model itself where no block was chosen."""
    found = []
    for system in context.systems:
        blocks = [block.name for block in context.blocks(system)]
        every = len(blocks) == len(context.library(system).blocks())
        found += [Key(RANGES, name, system=system) for name in (*blocks, *((MODEL,) if every else ()))]
    return found


@timed
def run(context: Context, key: Key) -> list[Record]:
    """One block, in every format and direction."""
    backend = context.backend(REFERENCE_BACKEND)
    if isinstance(backend, Unsupported):
        return [refused(key.about, backend)]
    found = measured(context, key.system)
    if key.subject not in found.seen.blocks:
        return [refused(key.about, Unsupported("not-applicable", "the model did not call it on this system"))]
    return [_judged(found, key, fmt, direction) for direction in DIRECTIONS for fmt in context.formats]


def _judged(found: Measured, key: Key, fmt: Format, direction: str) -> Record:
    backward = direction == BACKWARD
    tensors = {n: w for n, w in found.seen.tensors.get(key.subject, {}).items() if (w.kind == "gradient") == backward}
    base = {**key.about, "format": fmt.name, "variant": direction}
    if not tensors:
        why = ("no-gradient", "no gradient flows through it") if backward else ("empty", "it has no floating-point numbers here")
        return refused(base, Unsupported(*why))  # type: ignore[arg-type]
    block = found.seen.blocks[key.subject]
    ranges = [_range(found, key.subject, name, one, fmt) for name, one in tensors.items()]
    detail = Ranges(role=block.role, block=block.kind, smallest=fmt.smallest, normal=fmt.smallest_normal, end=fmt.largest, ranges=ranges)
    where, most = _largest(found.seen, key.subject, backward)
    if most > fmt.largest:
        reason = f"range: {where} reaches {most:.3g}, {fmt.name} holds {fmt.largest:.6g}"
        return refused(base, Unsupported("out-of-range", reason)).model_copy(update={"detail": detail})
    return Record(
        **base, verdict="pass", ratio=most / fmt.largest, limit=1.0, worst=where, detail=detail, note="; ".join(_told(ranges, fmt)),
    )  # fmt: skip


def _largest(seen: Seen, block: str, backward: bool) -> tuple[str, float]:
    """The tensor of the block, or of one inside of it, with the largest magnitude."""
    every = _inside(seen, block, backward)
    own = [(one.sizes.largest, name != WAY, name if other == block else f"{name} of {other}") for other, name, one in every]
    most, _, where = max(own, key=lambda found: found[:2])
    return where, most


def _inside(seen: Seen, block: str, backward: bool) -> Iterator[tuple[str, str, Watched]]:
    for other, tensors in seen.tensors.items():
        if other == block or other.startswith(f"{block}."):
            yield from ((other, name, one) for name, one in tensors.items() if (one.kind == "gradient") == backward)


def _range(found: Measured, block: str, name: str, one: Watched, fmt: Format) -> TensorRange:
    sizes = one.sizes
    way, there = name == WAY, sizes.largest > 0
    beside = sizes.beside.get(fmt.name)
    return TensorRange(
        name=name, kind=one.kind, layout=one.layout, largest=finite(sizes.largest), smallest=finite(sizes.smallest), nonfinite=sizes.nonfinite,
        binades=finite(sizes.binades), zeros=None if way else finite(sizes.zeros),
        low=sizes.low if there and not way else None, middle=sizes.middle if there and not way else None,
        high=sizes.high if there and not way else None, subnormal=finite(beside.subnormal) if beside else None,
        flushed=finite(beside.flushed) if beside else None, beyond=finite(beside.beyond) if beside else None,
        headroom=finite(math.log2(fmt.largest) - math.log2(sizes.largest)) if there else None,
        reach=_reach(found, block, name, one, fmt) if there else [], worst=one.worst,
    )  # fmt: skip


def _reach(found: Measured, block: str, name: str, one: Watched, fmt: Format) -> list[Reach]:
    places = name in PLACES or (name == WAY and step_kind(block) == COORDINATES)
    apart = name == WAY and len(found.seen.atoms) > 1  # of which structure it is, is not known
    atoms = atoms_of(found.seen.atoms, one.layout.shape if one.layout else (), one.sizes.row)
    by: list[tuple[Grows, float, Mapping[Name, Growth]]] = [("neighbours", float(found.seen.neighbours), found.neighbours)]
    if not places and not apart:
        by.insert(0, ("atoms", atoms, found.atoms))
    made = []
    for what, now, growths in by:
        own = growths.get((block, name))
        law = known(block, name) if what == "atoms" and (own is None or own.power is None) else None
        if (taken := law or own) is not None and (taken.known or len(taken.sizes) > 1):
            made.append(reach(what, now, one.sizes.largest, fmt.largest, taken))
    return made


def _told(ranges: list[TensorRange], fmt: Format) -> list[str]:
    """At which size the format's largest number is passed first, by what grows; which tensor is mostly below its normal range."""
    lines = []
    for what, most in MOST.items():
        ends = [(reach.end, one.name == WAY, one.name, reach) for one in ranges for reach in one.reach if reach.by == what and reach.end is not None]
        if not ends or (first := min(ends, key=lambda e: (round(e[0], 3), e[1])))[0] > most:
            continue
        end, _, name, reach = first
        here = counted(round(reach.now or 0), what.removesuffix("s"), what)
        if reach.power is None:
            lines.append(
                f"{name} overflows in {fmt.name} with {end:,.0f} {what}, not yet with {reach.within:,.0f}, at the same distances (here {here})"
            )
        else:
            law = f"in proportion to {what}" if reach.power == 1 else f"as {what} to the power {reach.power:.2g}"
            lines.append(f"{name} would overflow in {fmt.name} from {math.floor(end) + 1:,} {what} on: it grows {law} (here {here})")
    small, name = max(((one.subnormal or 0.0) + (one.flushed or 0.0), one.name) for one in ranges)
    if small >= MOSTLY:
        lines.append(f"{small:.0%} of the numbers of {name} that are not zero are below {fmt.name}'s normal range")
    return lines


INSPECTION = Inspection(RANGES, keys, run)
