"""How much memory there is, and sizes as people write them."""

from __future__ import annotations

import re
from pathlib import Path

from mpcheck._errors import InputError

SIZE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,9})?) ?([kMGT]?)(i?)B", re.IGNORECASE)
UNITS = " kMGT"
CGROUP = Path("/sys/fs/cgroup")
GROUP_FILES = (
    ("memory.max", "memory.current", "inactive_file"),
    ("memory.high", "memory.current", "inactive_file"),
    ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)
"""Of a control group: limit, what is used, and the line of ``memory.stat`` that is given back; of version 2, and of version 1."""


def size_of(text: str, option: str) -> int:
    """Bytes of ``2GB``, ``1.5 GiB`` or ``500MB``: thousands, with an i 1024.

    Raises:
        InputError: no size.
    """
    match = SIZE.fullmatch(text.strip())
    if match is None:
        raise InputError(f"{option} is {text[:40]!r}; give a size with its unit, such as 2GB or 500MB")
    return int(float(match[1]) * (1024 if match[3] else 1000) ** UNITS.upper().index((match[2] or " ").upper()))


def free_bytes(source: Path = Path("/proc/meminfo"), cgroup: Path = CGROUP, own: Path = Path("/proc/self/cgroup")) -> float:
    """Memory that this process can have: of the machine, of its control groups, of its own limits; infinite where nothing tells."""
    return max(0.0, min(_of_machine(source), _of_groups(cgroup, own), _of_process()))


def _of_machine(source: Path) -> float:
    try:
        lines = dict(line.split(":", 1) for line in source.read_text(encoding="ascii").splitlines())
        return 1024.0 * int(lines["MemAvailable"].split()[0])
    except (OSError, ValueError, KeyError, IndexError):
        return float("inf")


def _of_groups(cgroup: Path, own: Path) -> float:
    """What control groups leave, as containers and batch systems set them: the process's own and those around it, of version 2 and of version 1."""
    try:
        lines = [line.split(":", 2) for line in own.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError):
        lines = []
    places = [cgroup, cgroup / "memory"]  # a container sees its own group as the root, whatever its path outside of it
    for _, controllers, path in (line for line in lines if len(line) == 3):
        if controllers in ("", "memory") or "memory" in controllers.split(","):
            around = [Path(path.lstrip("/")), *Path(path.lstrip("/")).parents]
            places += [root / group for root in (cgroup, cgroup / "unified", cgroup / "memory") for group in around]
    return min(_left(place, *names) for place in dict.fromkeys(places) for names in GROUP_FILES)


def _left(group: Path, limit: str, used: str, cached: str) -> float:
    """What one group leaves; pages of files, which are given back as soon as memory is asked for, are not used."""
    try:
        left = float((group / limit).read_text()) - float((group / used).read_text())
    except (OSError, ValueError):  # none, or "max"
        return float("inf")
    try:
        told = dict(line.split(" ", 1) for line in (group / "memory.stat").read_text().splitlines())
        return left + float(told[cached])
    except (OSError, ValueError, KeyError):
        return left


def _of_process() -> float:
    """What ``ulimit -v`` and ``ulimit -d`` leave."""
    try:
        import resource

        held = [int(pages) * resource.getpagesize() for pages in Path("/proc/self/statm").read_text(encoding="ascii").split()]
        limits = [(resource.getrlimit(kind)[0], held[place]) for kind, place in ((resource.RLIMIT_AS, 0), (resource.RLIMIT_DATA, 5))]
        return min((float(limit - size) for limit, size in limits if limit != resource.RLIM_INFINITY), default=float("inf"))
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
