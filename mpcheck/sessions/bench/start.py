"""The bench session from a command: the suite, or the measurement of this machine's own rate of false alarms."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from mpcheck._errors import InputError
from mpcheck._names import REFERENCE_BACKEND
from mpcheck._text import say
from mpcheck.sessions import launch
from mpcheck.sessions.contract import SessionSpec
from mpcheck.sessions.options import values_of

MODES: tuple[Literal["stored", "ab"], ...] = ("stored", "ab")


def start(spec: SessionSpec, options: Mapping[str, Any], out: Path, workers: int = 0, verbose: bool = False) -> int:
    """See :func:`mpcheck.sessions.launch.start`; with ``calibrate`` no records are written."""
    asked = {name: value for name, value in options.items() if name != "calibrate"}
    if not options.get("calibrate"):
        return launch.start(spec, asked, out, workers, verbose)
    mode = next((mode for mode in MODES if mode == options["calibrate"]), None)
    if mode is None:
        raise InputError(f"--calibrate {options['calibrate']}: choose {' or '.join(MODES)}")
    # torch and mace take seconds to import; a wrong option must not
    from mpcheck._progress import PROGRESS
    from mpcheck.sessions.bench.calibrate import calibrate

    fields = {"backends": (REFERENCE_BACKEND,), **values_of(spec.options, asked)}
    try:
        path, rate = calibrate(mode, spec.options(**fields, progress=PROGRESS))
    finally:
        PROGRESS.clear()
    say(f"false alarms ({mode}): {rate.reason}")
    say(f"wrote {path}")
    return 0
