"""What a search found, in words: the policy, what it costs and gains, and what to type."""

from __future__ import annotations

import math

from mpcheck.formats import F32, F64
from mpcheck.policy.accuracy import Budget
from mpcheck.policy.searching.fastest import Winner
from mpcheck.policy.speed.table import TradeOff

CPU = "speed-ups are this CPU's: a GPU gains more from 16 bits and from tf32; measure there with --device cuda"


def search_lines(found: Winner, budget: Budget, command: str = "") -> list[str]:
    """The answer, the policy first.

    Args:
        command: that applies it.
    """
    chosen = found.choice.chosen
    if chosen is None:
        return [_none(found, budget)]
    variant = f" +{found.row.candidate.variant}" if found.row is not None and found.row.candidate.variant else ""
    title = f" ({chosen.policy.title})" if chosen.policy.title else ""
    told = [f"Fastest within {budget}: {chosen.policy.name}{variant}{title}"]
    measured = f"  errors measured {found.choice.energy:.2g} meV/atom and {found.choice.force:.2g} meV/Å"
    known = not math.isnan(chosen.energy + chosen.force)
    told.append(f"{measured}, predicted {chosen.energy:.2g} and {chosen.force:.2g}" if known else measured)
    if found.row is not None:
        told.append(f"  {_speed(found.row)}")
        told += [f"  {CPU}"] * (found.row.device == "cpu")
    return [*told, *([f"  {command}"] if command else [])]


def _none(found: Winner, budget: Budget) -> str:
    least = min((budget.share(r.energy, r.force) for r in found.choice.refused), default=math.inf)
    nearest = f"; the nearest takes {least:.3g} times what is allowed" if math.isfinite(least) else ""
    return f"No policy is within {budget}: {len(found.choice.refused)} were measured{nearest}"


def _speed(row: TradeOff) -> str:
    gains = [f"{s} times as fast as {name}" for name, s in ((F64, row.to_float64), (F32, row.to_float32)) if s is not None]
    memory = f"; a call holds {row.peak_bytes / 2**20:.3g} MiB" if row.peak_bytes is not None else ""
    return f"{row.milliseconds:.3g} ms a call on {row.machine or row.device}: {', '.join(gains)}{memory}"
