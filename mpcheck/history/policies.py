"""When a policy of two runs errs by more, or costs more, than chance explains."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from mpcheck.history.movement import LATENCY, SOUND, beyond, grown
from mpcheck.records.policy_figures import PolicyCost, PolicyErrors, PolicySpeed
from mpcheck.records.record import Record

Moved = tuple[Literal["moved", "improved"], str]
LIMITS = {"force_meV_per_A": 1.3, "energy_meV_per_atom": 1.5, "stress_meV_per_A3": 1.3}
"""By figure, how often the predicted error sound code may err by. Below it an energy or a stress, one number a structure, moves by chance."""
PREDICTED = {name: f"predicted_{name}" for name in LIMITS}
UNITS = {"force_meV_per_A": "forces meV/Å", "energy_meV_per_atom": "energy meV/atom", "stress_meV_per_A3": "stress meV/Å³"}
COUNTS = ("operations", "multiply_adds", "bytes_moved", "casts")
TIMED = 0.25
"""Of a speed-up, beyond both intervals: two runs of one launch each differ by more than the rounds of either tell."""
LEAST = 1e-9
"""meV/atom, meV/Å: below it float64 itself rounds."""


def policy_moved(was: Record, row: Record) -> Moved | None:
    """What moved beyond noise, in words; None where nothing did, or the record holds nothing of the kind.

    Errors are compared in units of what *base* was predicted to err by: where head's own roundings grow, so does its prediction, and their
    ratio stays. Ratios of single quantities are judged by their limits, not against each other, for those of energies scatter.
    """
    before, after = was.detail, row.detail
    lines: list[Moved] = []
    if isinstance(before, PolicyErrors) and isinstance(after, PolicyErrors):
        lines = [*_errors(before, after)]
    elif isinstance(before, PolicyCost) and isinstance(after, PolicyCost):
        lines = [*_counts(before, after)]
    elif isinstance(before, PolicySpeed) and isinstance(after, PolicySpeed):
        lines = [*_speed(before, after)]
    kinds = [kind for kind, _ in lines]
    if not lines:
        return None
    kind: Literal["moved", "improved"] = "moved" if "moved" in kinds else "improved"
    return kind, ", ".join(text for own, text in lines if own == kind)


def _errors(before: PolicyErrors, after: PolicyErrors) -> Iterator[Moved]:
    for name, limit in LIMITS.items():
        old, new, promised = getattr(before, name), getattr(after, name), getattr(before, PREDICTED[name])
        if old is None or new is None or max(old, new) < LEAST:
            if old is not None and new is None:
                yield "moved", f"{UNITS[name]} {old:.3g} -> not known"
            continue
        unit = promised or max(old, LEAST) / SOUND
        was, now = old / unit, new / unit
        words = f"{UNITS[name]} {old:.3g} -> {new:.3g}" + (f" ({promised:.3g} predicted in base)" if promised else "")
        forces = name == "force_meV_per_A"
        if (forces or now > limit) and grown(max(was, SOUND), now):
            yield "moved", words
        elif forces and now < was and beyond(was, now):
            yield "improved", words


def _counts(before: PolicyCost, after: PolicyCost) -> Iterator[Moved]:
    """Counts have no noise; what is below the margin of latencies nobody feels."""
    for name in COUNTS:
        old, new = getattr(before, name), getattr(after, name)
        if old is None or new is None or old == new:
            continue
        share = new / old - 1 if old else 1.0
        if abs(share) > LATENCY:
            yield "moved" if share > 0 else "improved", f"{name.replace('_', ' ')} of a call {old:,.0f} -> {new:,.0f} ({100 * share:+.0f} %)"


def _speed(before: PolicySpeed, after: PolicySpeed) -> Iterator[Moved]:
    """Against float64 in the same launch; wholly beyond the other's interval, and by a quarter."""
    sides = [(s.speedup_float64, s.speedup_float64_low, s.speedup_float64_high) for s in (before, after)]
    (old, low, high), (new, new_low, new_high) = sides
    if old is None or low is None or high is None or new is None or new_low is None or new_high is None:
        return
    words = f"{old:.2f} -> {new:.2f} times as fast as float64"
    if new_high * (1 + TIMED) < low:
        yield "moved", words
    elif new_low > high * (1 + TIMED):
        yield "improved", words
