"""A run on disk: files of so many samples each, every one complete, atomic, bit by bit, and with all that the next step depends on.

What was killed goes on from its last file as if nothing had been. No frame is ever half written, and nothing is a pickle.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from mpcheck._errors import InputError
from mpcheck._files.io import atomic_path, cannot_write, refuse_irregular
from mpcheck._text import one_line, shortened
from mpcheck.dynamics.protocols.integrators import State

Arrays = Mapping[str, np.ndarray]
SCHEMA = "mpcheck run 1"
SERIES, FRAMES, STATE = "series.", "frames.", "state."


@dataclass(frozen=True)
class Chunk:
    """One file of a run.

    Attributes:
        series: by name, [samples] or [samples, …]. frames: by name, [frames, …]. state: after the last step.
        about: what the run is. step: the last one. seconds: that steps have taken since the run began; around: all that is done for them.
        ended: why there is no further file; empty while there is one to come.
    """

    series: Arrays
    frames: Arrays
    state: State
    about: Mapping[str, Any]
    step: int
    seconds: float
    around: float = 0.0
    ended: str = ""


def write(folder: Path, number: int, chunk: Chunk) -> Path:
    """Write a file of a run.

    Raises:
        InputError: it cannot be written.
    """
    path = folder / f"chunk-{number:05d}.safetensors"
    tensors = {prefix + n: np.array(a, order="C") for prefix, arrays in _parts(chunk) for n, a in arrays.items()}
    told = {"schema": SCHEMA, "about": json.dumps(dict(chunk.about), sort_keys=True), "step": str(chunk.step), "ended": chunk.ended}
    with atomic_path(path) as draft:
        try:
            save_file(tensors, draft, metadata={**told, "seconds": repr(chunk.seconds), "around": repr(chunk.around)})
        except (SafetensorError, OSError) as error:
            raise cannot_write(path, error) from error
    return path


def _parts(chunk: Chunk) -> tuple[tuple[str, Arrays], ...]:
    return (SERIES, chunk.series), (FRAMES, chunk.frames), (STATE, chunk.state)


def read(folder: Path) -> list[Chunk]:
    """The files of a run, in order; up to the first that is missing.

    Raises:
        InputError: a damaged file, or one of another schema.
    """
    chunks: list[Chunk] = []
    while (path := folder / f"chunk-{len(chunks):05d}.safetensors").is_file():
        chunks.append(_read(path))
    return chunks


def _read(path: Path) -> Chunk:
    refuse_irregular(path, "trajectory")
    remedy = "remove its directory, and the run is made anew"
    try:
        with safe_open(path, framework="np") as stored:
            told = stored.metadata() or {}
            arrays = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 - no mapping
    except (SafetensorError, OSError, ValueError) as error:
        raise InputError(f"trajectory {path} is damaged ({shortened(one_line(str(error)), 120)}); {remedy}") from error
    if told.get("schema") != SCHEMA:
        raise InputError(f"trajectory {path} has schema {told.get('schema', 'none')!r}, not {SCHEMA!r}; {remedy}")
    try:
        about, step = json.loads(told["about"]), int(told["step"])
        seconds, around = float(told["seconds"]), float(told["around"])
    except (KeyError, ValueError) as error:
        raise InputError(f"trajectory {path}: field {error} is missing or no number; {remedy}") from error
    parts = [{n.removeprefix(prefix): a for n, a in arrays.items() if n.startswith(prefix)} for prefix in (SERIES, FRAMES, STATE)]
    return Chunk(parts[0], parts[1], dict(parts[2]), about, step, seconds, around, told.get("ended", ""))


def joined(parts: Sequence[Arrays]) -> dict[str, np.ndarray]:
    """Arrays of several files, one after the other."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]} if parts else {}
