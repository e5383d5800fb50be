"""Which structures can test forces: not those whose forces are as good as zero, as symmetry makes them in a perfect crystal.

A model that returns zeros is right there, and of float32's 4e-7 eV/Å nothing is left to divide by.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from mpcheck.policy.evaluation import Evaluation
from mpcheck.policy.judging.batches import selected
from mpcheck.policy.judging.copies import RATTLE, shortest
from mpcheck.policy.judging.structures import Sets
from mpcheck.reference.whole_noise import ROUNDOFF

RESOLVED = 1e-3
"""Å: files of structures are written to about as much, so that forces are not known to better than what moving atoms by it makes."""


@dataclass(frozen=True)
class ForceTests:
    """What forces can be judged by.

    Attributes:
        scales: of each of all frames, RMS force in eV/Å below which a force says nothing: moving atoms by :data:`RESOLVED` makes as much.
        refused: by place, why a structure is no test.
    """

    scales: tuple[float, ...]
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
    floor = ROUNDOFF * max((float(f.abs().max()) for f in forces if f.numel()), default=0.0)
    stiff = _stiffness(sets, forces)
    scales, refused = [], {}
    for place, (frame, force) in enumerate(zip(sets.frames, forces, strict=True)):
        size = rms(force)
        # what is rattled has forces that go with how far: of structures at rest, this is the same
        stiffness = stiff[place] if place in stiff else size / (RATTLE * shortest(frame)) if place not in sets.places("own") else 0.0
        scale = max(RESOLVED * stiffness, floor)
        scales.append(scale)
        if not math.isfinite(size):
            refused[place] = f"{sets.labels[place]}: float64 itself has forces there that are no numbers"
        elif size <= scale:
            refused[place] = (
                f"{sets.labels[place]} is no test of forces: they are {size:.1e} eV/Å by symmetry or at rest, "
                f"and moving its atoms by {RESOLVED:g} Å makes {scale:.1e}"
            )
    return ForceTests(tuple(scales), refused)


def _stiffness(sets: Sets, forces: Sequence[torch.Tensor]) -> dict[int, float]:
    """RMS force in eV/Å that a displacement of RMS 1 Å makes, of the user's structures by place.

    Of rattled copies in the same cell the median; of structures without such copies that of the others, where there are any.
    """
    copies, own = sets.get("rattled"), sets.places("own")
    found: dict[int, list[float]] = {}
    for place, frame, parent in zip(sets.places("rattled"), copies.frames, copies.parents, strict=True):
        original = sets.frames[own[parent]]
        if len(frame) == len(original) and np.array_equal(frame.cell.array, original.cell.array):
            moved = math.sqrt(float(np.mean((frame.positions - original.positions) ** 2)))
            found.setdefault(own[parent], []).append(rms(forces[place] - forces[own[parent]]) / moved)
    every = [value for values in found.values() for value in values]
    return {p: float(np.median(found.get(p, every))) for p in own} if every else {}
