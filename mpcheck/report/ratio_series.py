"""Rounding ratios over a device's gates, as series that can be drawn and searched for lasting changes."""

from __future__ import annotations

from collections.abc import Sequence

from mpcheck.history.gates import GateEntry, in_time
from mpcheck.history.latency.series import SHARE, Series, SeriesPoint, chosen

FLOOR = 0.01
"""Share of the limit that smaller ones count as: changes are searched on logarithms, and what is a hundredth of the limit is nothing."""


def names_of(entries: Sequence[GateEntry], pattern: str) -> list[str]:
    """Names ``BLOCK|BACKEND|FORMAT`` that match a glob pattern, or are it; a pattern without ``|`` is one of blocks.

    Raises:
        InputError: none does.
    """
    glob = pattern if "|" in pattern or pattern == "*" else f"{pattern}|*"
    return chosen((name for entry in entries for name in entry.ratios), pattern, "rounding ratio", "has no ratios", glob)


def ratio_series(entries: Sequence[GateEntry], name: str) -> Series:
    """A block's worst share of its limit over the entries that judged the same model with the same options as the last one of it.

    Versions may differ: they are what drift is about.
    """
    own = [entry for entry in in_time(entries) if name in entry.ratios]
    own = [entry for entry in own if entry.work == own[-1].work]
    return Series(name, SHARE, [SeriesPoint(e.commit, e.date, max(e.ratios[name], FLOOR), {"mpcheck": e.mpcheck, **e.packages}) for e in own])
