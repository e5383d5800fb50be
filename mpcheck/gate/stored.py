"""What a change of a stored baseline means: only one that is surely stricter is none that loosens."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mpcheck._errors import InputError
from mpcheck.history.objections import Effect

if TYPE_CHECKING:
    from mpcheck.history.ratios import Baseline

HISTORIES = ("bench-history.jsonl", "gate-history.jsonl")
"""Only ever told of; nothing is judged by them."""


def effect_of(old: Path | None, new: Path | None) -> tuple[Effect, str]:
    """What it means that a file of the baselines differs, and why.

    Args:
        old, new: base's and head's; None where one has none.
    """
    known = old or new
    if known is not None and known.name in HISTORIES:
        return "neutral", ""
    if old is None:
        return "widens", "new"
    if new is None:
        return "narrows", "removed"
    from mpcheck.history.ratios import FILE

    if old.name == FILE:
        return _ratios(old, new)
    return "loosens", ""


def _ratios(old: Path, new: Path) -> tuple[Effect, str]:
    """Stored ratios, of which each is known to be stricter or not."""
    from mpcheck.history.ratios import changes, read_baseline
    from mpcheck.judge.tolerances import load_tolerances

    try:
        before, after = read_baseline(old), read_baseline(new)
        if before is None or after is None:
            return "loosens", ""
        limits = load_tolerances().drift
        loosened = changes(before, after, limits)[1] + _wider(before, after, limits.floor / 3)
    except InputError as error:
        return "loosens", str(error)
    same = (before.model, before.systems, before.device, before.seed) == (after.model, after.systems, after.device, after.seed)
    if not same:
        return "loosens", "of another model, systems, device or seed"
    if loosened:
        return "loosens", f"{len(loosened)} loosened, such as {loosened[0]}"
    return "widens", "nothing in it is looser"


def _wider(old: Baseline, new: Baseline, floor: float) -> list[str]:
    """Tensors that are gone, whose bias is another, or whose spread, beyond which drift is red, has grown."""
    lines = []
    for cell, tensors in old.cells.items():
        for name, before in tensors.items():
            after = new.cells.get(cell, {}).get(name)
            if after is None:
                lines.append(f"{cell} {name} is gone")
            elif abs(after[1] - before[1]) > floor or any(b > a + floor for a, b in zip(before[2:], after[2:], strict=True)):
                lines.append(f"{cell} {name}: bias or spread")
    return lines
