"""The environment that a run's figures belong to."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import torch

from mpcheck import _torch_state
from mpcheck._cuda import CUDA
from mpcheck._errors import InputError
from mpcheck._files.stored import now
from mpcheck._own import own_digest
from mpcheck._packages import versions

GATED = "MPCHECK_GATED"
"""Set by a gate for head's sessions: JSON of what their records tell of it."""


def commit() -> str:
    """The commit that is checked out in the current directory, 12 digits; ``unknown`` where there is no git or no repository.

    ``MPCHECK_COMMIT`` names it where what is judged is not a checkout, or is one of a merge that nobody else knows.
    """
    if named := os.environ.get("MPCHECK_COMMIT"):
        return named[:12]
    try:
        command = ["git", "rev-parse", "--short=12", "HEAD"]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return "unknown"


@cache
def cpu_name() -> str:
    """The processor's model name."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    line = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return line.group(1).strip() if line else (platform.processor() or platform.machine())


def device_name(device: str) -> str:
    """Name of the processor or GPU that cells run on."""
    if device.startswith("cuda") and CUDA.is_available():
        return str(CUDA.get_device_name(torch.device(device)))
    return cpu_name()


def device_slug(device: str) -> str:
    """A directory name for a device: ``cpu-amd-epyc-7763-64-core-processor-avx2``, ``cuda-nvidia-h100-80gb-hbm3``.

    On a CPU the vector instructions that torch chose belong to it: they decide the order of its sums.
    """
    kind = device.partition(":")[0]
    name = device_name(device)
    if kind == "cpu":
        name += f" {torch.backends.cpu.get_cpu_capability()}"
    return f"{kind}-" + re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def ambient_flags() -> dict[str, Any]:
    """Process-wide settings that change results: the caller's, and what of them the cells run under, too, instead of torch's defaults."""
    judged = {} if _torch_state.reduced_allowed() else {"cells' reduced-precision reductions": False}
    return {**_torch_state.surrounding().flags(), **judged}


def gated() -> dict[str, Any]:
    """Which gate this process is a part of: commits ``base``, empty where there is none, and ``head``; empty where it is of none.

    Raises:
        InputError: the variable is damaged.
    """
    text = os.environ.get(GATED, "")
    if not text:
        return {}
    try:
        known = {name: str(json.loads(text)[name]) for name in ("base", "head")}
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"variable {GATED} is {text[:100]!r}; it is set by `mpcheck gate` alone, unset it") from error
    return {"gate": known}


def describe(device: str) -> dict[str, Any]:
    """Everything above, for the head of the records."""
    return {
        **gated(),
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "device": device,
        "device_name": device_name(device),
        "device_slug": device_slug(device),
        "threads": torch.get_num_threads(),
        "packages": versions(),
        "mpcheck_digest": own_digest(),
        "flags": ambient_flags(),
        "commit": commit(),
        "date": now(),
    }
