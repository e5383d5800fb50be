"""What a model errs by on labelled structures: energies, forces, and forces between and within molecules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mpcheck.learning.molecules import between
from mpcheck.systems.labelled import Labelled

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Errors:
    """RMSE over structures, and over all components of all forces; relative ones are percent of the RMS of the labels.

    Attributes:
        inter_*: of forces on molecules as rigid bodies, intra_*: of the rest, both over structures of several molecules; None without such.
    """

    energy_meV_per_atom: float
    force_meV_per_A: float
    force_percent: float
    inter_meV_per_A: float | None = None
    inter_percent: float | None = None
    intra_meV_per_A: float | None = None
    intra_percent: float | None = None


def errors(frames: Sequence[Labelled], energies: Array, forces: Sequence[Array], parts: Sequence[Array | None]) -> Errors:
    """Of energies [structures] in eV and forces of each in eV/Å.

    Args:
        parts: of the labels' forces, what acts between molecules, as :func:`labels_between` has it.
    """
    atoms = np.array([len(f.atoms) for f in frames])
    labels = np.array([f.energy for f in frames])
    energy = 1e3 * _rms((energies - labels) / atoms)
    rows = [(frame, found, part) for frame, found, part in zip(frames, forces, parts, strict=True) if part is not None]
    force, percent = _both([f - frame.forces for frame, f in zip(frames, forces, strict=True)], [frame.forces for frame in frames])
    if not rows:
        return Errors(energy, force, percent)
    wrong = [(found - frame.forces, between(frame.atoms, found - frame.forces)) for frame, found, _ in rows]
    inter = _both([of for _, of in wrong if of is not None], [part for *_, part in rows])
    intra = _both([all_ - of for all_, of in wrong if of is not None], [frame.forces - part for frame, _, part in rows])
    return Errors(energy, force, percent, *inter, *intra)


def labels_between(frames: Sequence[Labelled]) -> list[Array | None]:
    """Of each structure's labels, what acts between molecules; None of one molecule."""
    return [between(frame.atoms, frame.forces) for frame in frames]


def _both(wrong: Sequence[Array], labels: Sequence[Array]) -> tuple[float, float]:
    """RMS in meV/Å, and percent of the labels'."""
    rms, scale = _rms(np.concatenate(wrong)), _rms(np.concatenate(labels))
    return 1e3 * rms, 100 * rms / scale if scale > 0 else float("nan")


def _rms(values: Array) -> float:
    return float(np.sqrt(np.mean(np.square(values))))
