"""A run whose cells tell which process judged them, and do something else besides."""

from __future__ import annotations

from pathlib import Path

WIDE = ["--block", "radial_embedding*", "--block", "interactions.0.linear_up", "--format", "float32"]
WHERE = """
import os, signal
from pathlib import Path
from mpcheck.sessions.precision.suite import Suite
judge = Suite.judge
def judged(suite, key):
    (Path({place!r}) / f"{{os.getpid()}}-{{key.backend}}-{{key.block}}-{{key.format}}-{{key.direction}}").touch()
    {what}
    return judge(suite, key)
Suite.judge = judged
"""


def planted(place: Path, what: str = "pass") -> str:
    place.mkdir()
    return WHERE.format(place=str(place), what=what)


def by(place: Path) -> dict[str, int]:
    """Of every process, how many cells it judged."""
    pids = [path.name.partition("-")[0] for path in place.iterdir()]
    return {pid: pids.count(pid) for pid in pids}
