"""Which parts run next: in order of value, within the time that is left, timed ones alone, the others beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mpcheck.survey.part import Part, Scale


@dataclass(frozen=True)
class Busy:
    """A part that runs, and in how many seconds it is expected to have ended."""

    part: Part
    rest: float


def next_parts(waiting: Sequence[Part], running: Sequence[Busy], left: float, cores: int, scale: Scale) -> list[Part]:
    """Parts to start now.

    What does not fit into the time that is left is passed over for what does. While a part that times something waits for the others to
    end, no more of them are started, but for those that are expected to end sooner than they do.

    Args:
        waiting: most valuable first. left: seconds. cores: of the host.
    """
    if any(one.part.timed for one in running):
        return []
    chosen: list[Part] = []
    free = cores - sum(one.part.cores for one in running)
    until = max((one.rest for one in running), default=0.0)
    held = False
    for part in waiting:
        estimate = part.cost_at(scale).estimate
        if estimate > left:
            continue
        if part.timed:
            if not running and not chosen:
                return [part]
            held = True
            continue
        if held and estimate > until:
            continue
        if part.cores <= free or not (running or chosen):
            chosen.append(part)
            free -= part.cores
            until = max(until, estimate) if not held else until
    return chosen


@dataclass(frozen=True)
class Slot:
    """Where a part stands in a plan: seconds from the beginning; None where there is no time for it."""

    part: Part
    begin: float | None
    end: float | None


def simulated(parts: Sequence[Part], seconds: float, cores: int, scale: Scale) -> list[Slot]:
    """How a survey goes if every part takes what it is expected to take: what a dry run prints."""
    now, waiting, running = 0.0, list(parts), dict[str, tuple[Part, float]]()
    slots: dict[str, Slot] = {}
    while True:
        busy = [Busy(part, end - now) for part, end in running.values()]
        for part in next_parts(waiting, busy, seconds - now, cores, scale):
            end = now + part.cost_at(scale).estimate
            waiting.remove(part)
            running[part.name] = (part, end)
            slots[part.name] = Slot(part, now, end)
        if not running:
            break
        now = min(end for _, end in running.values())
        running = {name: one for name, one in running.items() if one[1] > now}
    return [slots.get(part.name, Slot(part, None, None)) for part in parts]
