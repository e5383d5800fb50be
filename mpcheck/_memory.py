"""How much memory there is, and sizes as people write them."""

from __future__ import annotations

import re
from pathlib import Path

from mpcheck._errors import InputError

SIZE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,9})?) ?([kMGT]?)(i?)B", re.IGNORECASE)
UNITS = " kMGT"
CGROUP = Path("/sys/fs/cgroup")


def size_of(text: str, option: str) -> int:
    """Bytes of ``2GB``, ``1.5 GiB`` or ``500MB``: thousands, with an i 1024.

    Raises:
        InputError: no size.
    """
    match = SIZE.fullmatch(text.strip())
    if match is None:
        raise InputError(f"{option} is {text[:40]!r}; give a size with its unit, such as 2GB or 500MB")
    return int(float(match[1]) * (1024 if match[3] else 1000) ** UNITS.upper().index((match[2] or " ").upper()))


def free_bytes(source: Path = Path("/proc/meminfo"), cgroup: Path = CGROUP) -> float:
    """Memory that this process can have: of the machine, of its control group, of its own limit; infinite where nothing tells."""
    return max(0.0, min(_of_machine(source), _of_group(cgroup), _of_process()))


def _of_machine(source: Path) -> float:
    try:
        lines = dict(line.split(":", 1) for line in source.read_text(encoding="ascii").splitlines())
        return 1024.0 * int(lines["MemAvailable"].split()[0])
    except (OSError, ValueError, KeyError, IndexError):
        return float("inf")


def _of_group(cgroup: Path) -> float:
    """What a control group leaves, as containers and batch systems set it (version 2)."""
    try:
        return float((cgroup / "memory.max").read_text()) - float((cgroup / "memory.current").read_text())
    except (OSError, ValueError):  # none, or "max"
        return float("inf")


def _of_process() -> float:
    """What ``ulimit -v`` leaves."""
    try:
        import resource

        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        if limit == resource.RLIM_INFINITY:
            return float("inf")
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        return float(limit - pages * resource.getpagesize())
    except (ImportError, OSError, ValueError, IndexError):
        return float("inf")


def exhausted(error: BaseException) -> bool:
    """Whether an error says that there was no memory left: Python's, or torch's, which on a CPU is a plain RuntimeError."""
    return isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and "allocate memory" in str(error))


def told(size: float) -> str:
    """A size as it is told: ``2.1 GB``, ``81 MB``."""
    if size < 1e9:
        return f"{size / 1e6:.0f} MB"
    return f"{size / 1e9:.2g} GB" if size < 1e11 else f"{size / 1e9:.0f} GB"
