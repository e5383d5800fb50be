"""What storing new figures would change, what of that loosens the gate, and the merge."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from mpcheck._errors import InputError
from mpcheck._files.stored import Stamp
from mpcheck.bench.cost.compare import compare_fingerprints
from mpcheck.bench.decide.first_calls import KINDS, STORED_START, longest, steady
from mpcheck.bench.decide.units import yardstick_of
from mpcheck.bench.figures import BenchFigures, Start
from mpcheck.history.latency.baseline import BenchBaseline

MARGIN = 0.02
"""Relative change of latency below which stored figures are left as they are."""
Kind = Literal["new", "removed", "slower", "faster", "unchanged", "cost", "first call", "replaced"]

KEPT = ("unchanged", "first call")
"""Changes that leave the stored launches as they are."""


@dataclass(frozen=True)
class CellChange:
    """What an update would do to one cell.

    Attributes:
        text: in words, with numbers.
        loosens: whether the gate would let more through than before.
        takes: whether the new figures replace the stored ones; starts: likewise of first calls.
    """

    cell: str
    kind: Kind
    text: str = ""
    loosens: bool = False
    takes: bool = True
    starts: bool = False


def seconds_of(figures: BenchFigures) -> float:
    """Median over launches of a call's seconds."""
    return statistics.median(launch.seconds for launch in figures.launches)


def spread_of(figures: BenchFigures) -> float | None:
    """Standard deviation between launches of the logarithm of a call's seconds: about a relative one. None of a single launch."""
    logs = [math.log(launch.seconds) for launch in figures.launches]
    return statistics.stdev(logs) if len(logs) > 1 else None


def normalised_of(figures: BenchFigures) -> dict[str, float]:
    """By yardstick kernel that every launch has, the median over launches."""
    names = [n for n in figures.launches[0].normalised if all(n in launch.normalised for launch in figures.launches)]
    return {n: statistics.median(launch.normalised[n] for launch in figures.launches) for n in names}


def yardstick_of_both(old: BenchFigures, new: BenchFigures) -> str | None:
    """The kernel that the gate would use for the stored side, or another that both have; None where they share none."""
    shared = normalised_of(new).keys() & normalised_of(old).keys()
    if not shared:
        return None
    chosen = yardstick_of(old.launches)
    return chosen if chosen in shared else min(shared)


def relative(old: BenchFigures, new: BenchFigures) -> tuple[float, str]:
    """Relative change of latency, in units of a yardstick where there is a common one, and in words."""
    before, after = seconds_of(old), seconds_of(new)
    absolute = after / before - 1
    words = f"{1e3 * before:.4g} -> {1e3 * after:.4g} ms ({100 * absolute:+.1f} %)"
    name = yardstick_of_both(old, new)
    if name is None:
        return absolute, f"{words}, no common yardstick"
    change = normalised_of(new)[name] / normalised_of(old)[name] - 1
    return change, f"{100 * change:+.1f} % in units of the yardstick {name}; {words}"


def _typical(starts: Sequence[Start], attribute: str) -> float | None:
    values = [getattr(s, attribute) for s in starts]
    return statistics.median(values) if values and None not in values else None


def start_change(old: Sequence[Start], new: Sequence[Start], least: float) -> tuple[str, bool, bool]:
    """What storing new first calls would change, in words; whether that loosens; whether they replace the stored ones.

    Those that come after other benchmarks than the stored ones replace them, too: nothing could be compared with the stored ones again.

    Args:
        least: seconds by which they must differ to matter.
    """
    if not new or not old:
        return "", False, bool(new)
    if any({getattr(s, before) for s in old} != {getattr(s, before) for s in new} for _, before in KINDS.values()):
        return "", False, True
    words, loosens, takes = [], False, False
    for name, (attribute, _) in KINDS.items():
        before, after = _typical(old, attribute), _typical(new, attribute)
        if before is None or after is None:
            loosens |= before is not None  # it could be called on another shape
            takes |= before != after
        elif abs(after - before) > least and max(after / before, before / after) > 1 + STORED_START.margin:
            words.append(f"{name} {1e3 * before:.4g} -> {1e3 * after:.4g} ms")
            takes = True
            loosens |= after > before
    return "; ".join(words), loosens, takes


def _change(cell: str, old: BenchFigures, new: BenchFigures, least: float) -> CellChange:
    change, words = relative(old, new)
    # beyond the margin as logarithms, so that there and back again is no gain
    kind: Kind = "slower" if change > MARGIN else "faster" if change < 1 / (1 + MARGIN) - 1 else "unchanged"
    worse: list[str] = []
    lines: list[str] = []
    if old.fingerprint is not None and new.fingerprint is not None:
        cost = compare_fingerprints(old.fingerprint, new.fingerprint)
        worse, lines = cost.worse, [*cost.worse, *cost.better]
    elif old.fingerprint is not None:
        worse = lines = ["the new figures have no cost to compare with"]
    if lines and kind == "unchanged":
        kind = "cost"
    told, later, starts = start_change(old.starts, new.starts, least)
    if told and kind == "unchanged":
        kind = "first call"
    # BenchFigures within the margin stay. Else a series of updates, each a little slower, would pass without a reason.
    takes = kind != "unchanged" or starts or (old.fingerprint is None and new.fingerprint is not None)
    loosens = kind == "slower" or bool(worse) or later
    return CellChange(cell, kind, "; ".join(filter(None, [words, *lines, told])), loosens=loosens, takes=takes, starts=starts)


def changes(old: BenchBaseline | None, new: BenchBaseline, prune: bool = False) -> list[CellChange]:
    """What storing ``new`` would change, cell by cell, those that loosen first.

    A baseline of other versions, another model or other options is replaced as a whole, which loosens: nobody can tell whether
    its figures were better.

    Args:
        prune: whether cells that ``new`` lacks are dropped; without, they stay.
    """
    if old is None:
        return [CellChange(cell, "new", f"{1e3 * seconds_of(f):.4g} ms") for cell, f in new.cells.items()]
    differing = old.mismatches(new.device, new.model.digest, new.systems, new.options)
    if differing:
        changed = [CellChange(cell, "replaced", "; ".join(differing), loosens=True) for cell in old.cells if cell in new.cells]
        gone = set(old.cells) - set(new.cells)
    else:
        least = longest(steady(old.cells))
        changed = [_change(cell, old.cells[cell], new.cells[cell], least[cell]) for cell in old.cells if cell in new.cells]
        gone = set(old.cells) - set(new.cells) if prune else set()
    why = "; ".join(differing) or "not in the new figures"
    changed += [CellChange(cell, "removed", why, loosens=True) for cell in sorted(gone)]
    changed += [CellChange(cell, "new", f"{1e3 * seconds_of(f):.4g} ms") for cell, f in new.cells.items() if cell not in old.cells]
    return sorted(changed, key=lambda c: not c.loosens)


def _taken(change: CellChange, old: Mapping[str, BenchFigures], new: BenchFigures) -> BenchFigures:
    """New figures; of what did not change the stored ones: launches where only the cost or the first calls are new, and first calls."""
    if change.cell not in old or change.kind == "replaced":
        return new
    kept = old[change.cell]
    starts = new.starts if change.starts else kept.starts
    if change.kind in KEPT:
        return kept.model_copy(update={"fingerprint": new.fingerprint or kept.fingerprint, "starts": starts})
    return new.model_copy(update={"starts": starts})


def merged(old: BenchBaseline | None, new: BenchBaseline, changed: list[CellChange], reason: str) -> BenchBaseline:
    """What is stored after an update: new figures where they changed, stored ones elsewhere, each with its origin."""
    provenance = new.provenance.model_copy(update={"reason": reason})
    if old is None or any(c.kind == "replaced" for c in changed) or not set(old.cells) - {c.cell for c in changed if c.kind == "removed"}:
        return new.model_copy(update={"provenance": provenance})
    dropped = {c.cell for c in changed if c.kind == "removed"}
    taken = {c.cell: c for c in changed if c.takes and c.kind != "removed"}
    cells = {cell: f for cell, f in old.cells.items() if cell not in dropped and cell not in taken}
    origins: dict[str, Stamp] = {}
    for cell in [*cells, *(c.cell for c in taken.values() if c.kind in KEPT)]:
        stamp = old.origin(cell)
        origins[cell] = Stamp(commit=stamp.commit, date=stamp.date)
    cells |= {cell: _taken(change, old.cells, new.cells[cell]) for cell, change in taken.items()}
    return new.model_copy(update={"provenance": provenance, "systems": {**old.systems, **new.systems}, "cells": cells, "origins": origins})


def check_reason(changed: list[CellChange], slug: str, reason: str) -> None:
    """Refuse to loosen silently.

    Raises:
        InputError: something loosens and there is no reason.
    """
    loosened = [c for c in changed if c.loosens]
    if loosened and not reason.strip():
        first = loosened[0]
        raise InputError(
            f"the latency baseline of {slug} would loosen in {len(loosened)} cells ({first.cell} {first.kind}: {first.text});"
            " say why with --reason TEXT; nothing was written"
        )
