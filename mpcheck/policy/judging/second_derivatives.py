"""Second derivatives under a policy: Hessian-vector products, as phonons are made of them, against float64's.

Phonon codes take differences of forces. What a policy's roundings make of a difference falls with the step, what the step itself makes of
it grows: the step is where both, known by themselves, are least together.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from ase import Atoms

from mpcheck.policy.evaluation import Evaluation
from mpcheck.policy.judging.batches import selected
from mpcheck.policy.judging.copies import remade
from mpcheck.policy.judging.force_tests import rms
from mpcheck.policy.judging.structures import Sets, StructureSet, told
from mpcheck.reference.noise import seed_of
from mpcheck.systems.spacing import edges

STEPS = (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1)
"""Å, RMS of a coordinate's displacement."""
PHONON = 0.01
"""Å: what phonon codes displace by, where nobody chooses."""
SMALL = 10
"""Atoms up to which one direction tells too little, and two are taken."""
MOST_EDGES = 25_000


@dataclass(frozen=True)
class SecondDerivatives:
    """Hessian-vector products of one structure.

    Attributes:
        structure: in words. directions: random ones, of all atoms at once.
        step_A: the step that is best for this policy; relative_error there, of the whole product in the Euclidean norm, and rms_eV_per_A2.
        phonon_relative_error: at :data:`PHONON`. float64_eV_per_A2: RMS of the exact product. absent: why there are no figures.
    """

    structure: str = ""
    directions: int = 0
    step_A: float | None = None
    relative_error: float | None = None
    rms_eV_per_A2: float | None = None
    phonon_relative_error: float | None = None
    float64_eV_per_A2: float | None = None
    absent: str = ""


def displaced_set(own: Sequence[Atoms], r_max: float, seed: int = 0) -> tuple[StructureSet, tuple[str, ...]]:
    """The smallest structure of two atoms or more, displaced to both sides by each step; and what was left out."""
    fitting = sorted((i for i, f in enumerate(own) if len(f) > 1), key=lambda i: len(own[i]))
    if not fitting:
        return StructureSet("displaced", (), ()), ("no second derivatives: no structure has two atoms",)
    parent = fitting[0]
    frame = own[parent]
    directions = 2 if len(frame) <= SMALL else 1
    if edges(frame, r_max) * 2 * len(STEPS) * directions > MOST_EDGES:
        return StructureSet("displaced", (), ()), ("second derivatives are left out: they would take too long",)
    frames, labels = [], []
    for number in range(directions):
        direction = np.random.default_rng(seed_of("second derivatives", seed, number)).normal(size=frame.positions.shape)
        direction /= math.sqrt(float(np.mean(direction**2)))
        for step in STEPS:
            for sign in (1.0, -1.0):
                frames.append(remade(frame, frame.positions + sign * step * direction))
                labels.append(f"structure {parent} moved by {sign * step:g} Å in direction {number}")
    return StructureSet("displaced", tuple(frames), tuple(labels), (parent,) * len(frames)), ()


def second_derivatives(found: Evaluation, exact: Evaluation, sets: Sets) -> SecondDerivatives:
    """Of the structure that was displaced.

    Args:
        found: of the policy, over all frames; exact: of the reference.
    """
    places = sets.places("displaced")
    if not places:
        return SecondDerivatives(absent="no structure was displaced")
    name = sets.labels[sets.places("own")[sets.get("displaced").parents[0]]]
    whole, moved = sets.frames[sets.places("own")[sets.get("displaced").parents[0]]], sets.frames[places[0]]
    name = told(name, whole, moved)
    own, right = selected(found, places).forces, selected(exact, places).forces
    if not bool(own.isfinite().all() and right.isfinite().all()):
        return SecondDerivatives(name, absent="forces are no numbers" + ("" if bool(right.isfinite().all()) else " in float64 itself"))
    products, truth = _products(own, len(places)), _products(right, len(places))  # [directions, steps, coordinates]
    wide = (STEPS[1] / STEPS[0]) ** 2
    limit = (wide * truth[:, 0] - truth[:, 1]) / (wide - 1.0)  # Richardson: the error of a central difference goes with the step's square
    size = rms(limit)
    if not size > 0.0:
        return SecondDerivatives(name, len(limit), absent="the exact product is zero: nothing to divide by")
    noise = rms(own - right)
    predicted = [math.hypot(noise / (math.sqrt(2.0) * step), rms(truth[:, i] - limit)) for i, step in enumerate(STEPS)]
    best = int(np.argmin(predicted))
    errors = [rms(products[:, i] - limit) for i in range(len(STEPS))]
    return SecondDerivatives(name, len(limit), STEPS[best], errors[best] / size, errors[best], errors[STEPS.index(PHONON)] / size, size)


def _products(forces: torch.Tensor, frames: int) -> torch.Tensor:
    """Central differences [directions, steps, coordinates] in eV/Å² from forces of so many frames, in the order of :func:`displaced_set`."""
    table = forces.reshape(frames // (2 * len(STEPS)), len(STEPS), 2, -1)
    return -(table[:, :, 0] - table[:, :, 1]) / (2.0 * torch.tensor(STEPS, dtype=torch.float64)[None, :, None])
