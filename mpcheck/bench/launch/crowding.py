"""How crowded the processors are, by Linux's own counters."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

WATCHED = 0.3  # seconds
_IDLE = (3, 4)  # fields idle and iowait of a processor's line


def busy_ticks(text: str) -> dict[int, tuple[int, int]]:
    """Ticks in use and ticks in all of every processor, from the text of ``/proc/stat``; time stolen by the hypervisor is in use."""
    counts = {}
    for line in text.splitlines():
        name, *fields = line.split()
        if name.startswith("cpu") and name[3:].isdigit():
            ticks = [int(f) for f in fields[:8]]  # guest time is in user time already
            counts[int(name[3:])] = (sum(ticks) - sum(ticks[i] for i in _IDLE if i < len(ticks)), sum(ticks))
    return counts


def quietest(allowed: Sequence[int], count: int, seconds: float = WATCHED, source: Path = Path("/proc/stat")) -> list[int]:
    """The processors that others use least, of those that this process may run on; the last ones where nobody can tell."""
    try:
        before = busy_ticks(source.read_text(encoding="ascii"))
        time.sleep(seconds)
        after = busy_ticks(source.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return list(allowed[-count:])

    def use(processor: int) -> float:
        busy, total = (a - b for a, b in zip(after[processor], before[processor], strict=True))
        return busy / total if total else 0.0

    known = [p for p in allowed if p in before and p in after]
    return sorted(sorted(known, key=lambda p: (use(p), -p))[:count]) if len(known) >= count else list(allowed[-count:])
