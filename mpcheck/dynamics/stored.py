"""Trajectories as files: safetensors, written atomically, read with every doubt told in one line."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from mpcheck._errors import InputError
from mpcheck._files.io import atomic_path, refuse_irregular
from mpcheck.dynamics.trajectory import Series, Trajectory

SCHEMA = "1"
WHAT = "trajectory"
SERIES = "series."
REMEDY = "run the simulation again"
_SCALAR = "timestep_fs"


def save(path: Path, trajectory: Trajectory) -> None:
    """Write a trajectory with its series.

    Raises:
        InputError: the place cannot be written.
    """
    arrays = {one.name: getattr(trajectory, one.name) for one in fields(Trajectory) if one.name not in ("series", _SCALAR)}
    arrays[_SCALAR] = np.array([trajectory.timestep_fs])
    if trajectory.series is not None:
        arrays |= {f"{SERIES}{name}": getattr(trajectory.series, name) for name in Series.names()}
    whole = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    with atomic_path(path) as temporary:
        try:
            save_file(whole, temporary, metadata={"mpcheck": WHAT, "schema_version": SCHEMA})
        except SafetensorError as error:
            raise InputError(f"cannot write {path}: {error}; choose a writable place with free space") from error


def load(path: Path) -> Trajectory:
    """Read what :func:`save` has written.

    Raises:
        InputError: missing, damaged, of another kind or version, or with arrays that do not fit each other.
    """
    refuse_irregular(path, WHAT)
    if not path.is_file():
        raise InputError(f"{WHAT} {path} does not exist; check the path")
    try:
        with safe_open(path, framework="np") as stream:
            said = stream.metadata() or {}
            arrays = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118 - no mapping
    except (SafetensorError, OSError, ValueError, TypeError) as error:  # the last where numpy has no such format
        raise InputError(f"{WHAT} {path} is damaged: {error}; {REMEDY}") from error
    if said.get("mpcheck") != WHAT or said.get("schema_version") != SCHEMA:
        raise InputError(f"{WHAT} {path}: no {WHAT} of version {SCHEMA}; check that it is the right file, or {REMEDY}")
    series = {name.removeprefix(SERIES): array for name, array in arrays.items() if name.startswith(SERIES)}
    frames = {name: array for name, array in arrays.items() if not name.startswith(SERIES)}
    _refuse_other_fields(path, set(frames), {one.name for one in fields(Trajectory)} - {"series"})
    if series:
        _refuse_other_fields(path, set(series), set(Series.names()))
    try:
        (step,) = frames.pop(_SCALAR).tolist()
        return Trajectory(**frames, timestep_fs=step, series=Series(**series) if series else None)
    except (ValueError, TypeError) as error:
        raise InputError(f"{WHAT} {path} is damaged: {error}; {REMEDY}") from error


def _refuse_other_fields(path: Path, found: set[str], wanted: set[str]) -> None:
    if lacking := sorted(wanted - found):
        raise InputError(f"{WHAT} {path} is damaged: field {lacking[0]} is missing; {REMEDY}")
    if extra := sorted(found - wanted):
        raise InputError(f"{WHAT} {path}: field {extra[0]} is unknown; check that it is the right file, or {REMEDY}")
