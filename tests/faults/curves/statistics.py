"""Detection rate against size: counts with intervals by half decade, a monotone fit, and what it says of half and nearly all."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import isotonic_regression
from scipy.stats import binomtest

from tests.faults.curves.records import Curves, Planting, Sound

PER_DECADE = 2
LEVELS = (0.5, 0.95)
FEWEST = 12  # plantings below which no level is read off a fit


@dataclass(frozen=True)
class Bin:
    """Plantings of one half decade of size: how many, how many seen, and a 95 % interval of the rate (Wilson, 1927)."""

    low: float
    high: float
    count: int
    seen: int
    interval: tuple[float, float]

    @property
    def rate(self) -> float:
        """Share that was seen."""
        return self.seen / self.count

    @property
    def middle(self) -> float:
        """Geometric mean of its edges."""
        return math.sqrt(self.low * self.high)


@dataclass(frozen=True)
class Curve:
    """One kind of check in one format.

    Attributes:
        plantings: that changed anything; idle: that changed no bit; idle_red: of those, how many turned the check red.
        half, nearly: size detected in 50 % and in 95 % by the monotone fit; None where it is not reached, or too few plantings.
        smallest: size of the smallest planting that changed anything; a level read off there is an upper bound. None without any.
        largest_missed: the largest planting that stayed green.
        sound, alarms: times the check was asked about upstream as it is, and turned red.
    """

    check: str
    format: str
    bins: tuple[Bin, ...]
    plantings: int
    idle: int
    idle_red: int
    half: float | None
    nearly: float | None
    smallest: float | None
    largest_missed: Planting | None
    sound: int
    alarms: int

    @property
    def alarm_bound(self) -> float:
        """Upper end of the 95 % interval of the false-alarm rate (Clopper and Pearson, 1934); 1 where nothing was asked."""
        return interval(self.alarms, self.sound, "exact")[1] if self.sound else 1.0


def interval(seen: int, count: int, method: str = "wilson") -> tuple[float, float]:
    """A 95 % confidence interval of a rate."""
    found = binomtest(seen, count).proportion_ci(confidence_level=0.95, method=method)
    return float(found.low), float(found.high)


def bins(sizes: Sequence[float], seen: Sequence[bool]) -> tuple[Bin, ...]:
    """Half decades with at least one planting; sizes are positive."""
    groups: dict[int, list[bool]] = {}
    for size, one in zip(sizes, seen, strict=True):
        groups.setdefault(math.floor(PER_DECADE * math.log10(size)), []).append(one)
    return tuple(
        Bin(10 ** (k / PER_DECADE), 10 ** ((k + 1) / PER_DECADE), len(g), sum(g), interval(sum(g), len(g))) for k, g in sorted(groups.items())
    )


def levels(sizes: Sequence[float], seen: Sequence[bool]) -> dict[float, float | None]:
    """Smallest size from which on the monotone least-squares fit of the rate reaches each level."""
    if len(sizes) < FEWEST:
        return dict.fromkeys(LEVELS)
    order = np.argsort(sizes, kind="stable")
    ordered = np.asarray(sizes, dtype=float)[order]
    fit = isotonic_regression(np.asarray(seen, dtype=float)[order]).x
    found: dict[float, float | None] = {}
    for level in LEVELS:
        reached = np.flatnonzero(fit >= level)
        found[level] = float(ordered[reached[0]]) if reached.size else None
    return found


def curve(check: str, fmt: str, plantings: Iterable[Planting], sound: Iterable[Sound]) -> Curve:
    """One curve; ``fmt`` empty for all formats together."""
    rows = [p for p in plantings if check in p.asked and fmt in ("", p.format)]
    effective = [p for p in rows if p.size > 0]
    idle = [p for p in rows if p.size == 0]
    sizes, seen = [p.size for p in effective], [check in p.seen for p in effective]
    reached = levels(sizes, seen)
    asked = [s for s in sound if s.check == check and fmt in ("", s.format)]
    missed = [p for p in effective if check not in p.seen]
    return Curve(
        check, fmt, bins(sizes, seen), len(effective), len(idle), sum(check in p.seen for p in idle), reached[0.5], reached[0.95],
        min(sizes, default=None),
        max(missed, key=lambda p: p.size, default=None), sum(s.asked for s in asked), sum(s.red for s in asked),
    )  # fmt: skip


def curves(found: Curves, keep: Callable[[Planting], bool] = lambda _: True) -> list[Curve]:
    """A curve for each check and format of a measurement, in the order in which they first occur."""
    rows = [p for p in found.plantings if keep(p)]
    pairs = dict.fromkeys((check, p.format) for p in rows for check in p.asked)
    checks = list(dict.fromkeys(check for check, _ in pairs))
    return [curve(c, f, rows, found.sound) for c in checks for (k, f) in pairs if k == c]
