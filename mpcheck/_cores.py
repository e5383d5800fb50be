"""How many cores this process may use."""

from __future__ import annotations

import os

from mpcheck._errors import InputError

AUTO = "auto"


def cores() -> int:
    """Of the host that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else (os.cpu_count() or 1)


def processes(text: str) -> int:
    """How many processes are asked for: a whole number, or ``auto``, one for each core.

    Raises:
        InputError: something else.
    """
    if text == AUTO:
        return cores()
    if not text.isascii() or not text.isdigit() or len(text) > 4:
        raise InputError(f"--workers {text[:40]!r}: give a whole number of processes, or {AUTO}: one for each core")
    return int(text)
