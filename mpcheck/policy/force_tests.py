"""Which structures can test forces: not those whose forces are as good as zero, as symmetry makes them in a perfect crystal.

A model that returns zeros is right there, and of float32's 4e-7 eV/Å nothing is left to divide by.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from mpcheck.policy.batches import selected
from mpcheck.policy.evaluation import Evaluation
from mpcheck.policy.structures import Sets
from mpcheck.reference.whole_noise import ROUNDOFF

RESOLVED = 1e-3
"""Å: files of structures are written to about as much, so that forces are not known to better than what moving atoms by it makes."""


@dataclass(frozen=True)
class ForceTests:
    """What forces can be judged by.

    Attributes:
        scale: RMS force in eV/Å below which a force says nothing: moving atoms by :data:`RESOLVED` makes as much.
        refused: by place, why a structure is none.
    """

    scale: float
    refused: Mapping[int, str]


def rms(t: torch.Tensor) -> float:
    """Root of the mean square; 0 of an empty tensor."""
    return math.sqrt(float(t.square().mean())) if t.numel() else 0.0


def force_tests(sets: Sets, evaluation: Evaluation) -> ForceTests:
    """Which of all frames can test forces.

    Args:
        evaluation: float64 values of all frames.
    """
    forces = [selected(evaluation, [i]).forces for i in range(len(sets.frames))]
    scale = max(RESOLVED * _stiffness(sets, forces), ROUNDOFF * max((float(f.abs().max()) for f in forces if f.numel()), default=0.0))
    refused = {}
    for place, force in enumerate(forces):
        size = rms(force)
        if not math.isfinite(size):
            refused[place] = f"{sets.labels[place]}: float64 itself has forces there that are no numbers"
        elif size <= scale:
            refused[place] = (
                f"{sets.labels[place]} is no test of forces: they are {size:.1e} eV/Å by symmetry or at rest, "
                f"and moving its atoms by {RESOLVED:g} Å makes {scale:.1e}"
            )
    return ForceTests(scale, refused)


def _stiffness(sets: Sets, forces: Sequence[torch.Tensor]) -> float:
    """RMS force in eV/Å that a displacement of RMS 1 Å makes: of rattled copies in the same cell, the median; 0 where there are none."""
    copies, own = sets.get("rattled"), sets.places("own")
    found = []
    for place, frame, parent in zip(sets.places("rattled"), copies.frames, copies.parents, strict=True):
        original = sets.frames[own[parent]]
        if np.array_equal(frame.cell.array, original.cell.array):
            moved = math.sqrt(float(np.mean((frame.positions - original.positions) ** 2)))
            found.append(rms(forces[place] - forces[own[parent]]) / moved)
    return float(np.median(found)) if found else 0.0
