"""Which cores this process may use, and how many."""

from __future__ import annotations

import os

from mpcheck._errors import InputError

AUTO = "auto"


def processors() -> list[int]:
    """Processors that this process may run on; empty where the platform does not tell."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def cores() -> int:
    """How many of the host this process may use."""
    return len(processors()) or os.cpu_count() or 1


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
