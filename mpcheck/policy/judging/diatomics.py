"""Energy and force of two atoms over their distance, for each pair of elements: how rough a format makes them.

A scan of a smooth curve shows what averages over structures hide: steps of the energy from one distance to the next, and forces that push
where they should pull.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np
import torch
from ase import Atoms
from ase.data import atomic_numbers, covalent_radii

from mpcheck.policy.evaluation import Evaluation
from mpcheck.policy.judging.batches import selected
from mpcheck.policy.judging.metrics import MILLI
from mpcheck.policy.judging.structures import Sets, StructureSet
from mpcheck.systems.inputs import HEAD

MOST_PAIRS = 6
POINTS = 60
NEAREST = 0.6
"""Of the sum of covalent radii; the farthest distance is the cut-off."""
SMALLEST = 1e-3
"""Of the largest float64 force of the scan: below it a sign says nothing, as at the minimum and towards the cut-off."""


@dataclass(frozen=True)
class Roughness:
    """Of one pair of elements, the policy against float64.

    Attributes:
        pair: ``H-O``. points: of the scan. energy_worst_meV, force_worst_meV_per_A: largest errors.
        energy_jump_meV: the largest step of the energy's error from one distance to the next, at jump_at_A.
        extra_sign_changes: how many more times the force changes its sign along the scan than float64's.
        turned: distances at which the force has the other sign, turned_largest_meV_per_A the largest float64 force of them.
        absent: why there are no figures.
    """

    pair: str
    points: int
    energy_worst_meV: float | None = None
    force_worst_meV_per_A: float | None = None
    energy_jump_meV: float | None = None
    jump_at_A: float | None = None
    extra_sign_changes: int | None = None
    turned: int | None = None
    turned_largest_meV_per_A: float | None = None
    absent: str = ""


def diatomic_set(own: Sequence[Atoms], elements: Sequence[str], r_max: float) -> tuple[StructureSet, tuple[str, ...]]:
    """Scans of pairs of elements, the structures' own first, and what was left out."""
    present = {s for frame in own for s in frame.get_chemical_symbols()}
    order = sorted(combinations_with_replacement(elements, 2), key=lambda pair: sum(e not in present for e in pair))
    pairs = order[:MOST_PAIRS]
    notes = (f"{len(pairs)} of {len(order)} pairs of elements are scanned, the structure's own first",) if len(pairs) < len(order) else ()
    head = {HEAD: own[0].info[HEAD]} if own and HEAD in own[0].info else {}
    frames, labels = [], []
    for one, other in pairs:
        nearest = NEAREST * float(covalent_radii[atomic_numbers[one]] + covalent_radii[atomic_numbers[other]])
        for distance in np.linspace(min(nearest, 0.9 * r_max), r_max, POINTS):
            frames.append(Atoms([one, other], [[0.0, 0.0, 0.0], _direction() * distance], info=dict(head)))
            labels.append(f"{one}-{other} at {distance:.3f} Å")
    return StructureSet("diatomics", tuple(frames), tuple(labels)), notes


def _direction() -> np.ndarray:
    """About no special axis: along one, coordinates and harmonics would be exact in any format."""
    vector = np.array([0.62, -0.35, 0.70])
    return np.asarray(vector / np.linalg.norm(vector))


def roughness(found: Evaluation, exact: Evaluation, sets: Sets) -> list[Roughness]:
    """Of every pair that was scanned.

    Args:
        found: of the policy, over all frames; exact: of the reference.
    """
    scans: dict[str, list[int]] = {}
    for place, frame in zip(sets.places("diatomics"), sets.get("diatomics").frames, strict=True):
        scans.setdefault("-".join(frame.get_chemical_symbols()), []).append(place)
    return [_one(pair, selected(found, places), selected(exact, places), [sets.frames[p] for p in places]) for pair, places in scans.items()]


def _one(pair: str, found: Evaluation, exact: Evaluation, frames: Sequence[Atoms]) -> Roughness:
    bad = int((~found.energy.isfinite()).sum() + (~found.forces.isfinite()).any(1).sum())
    if bad or not bool(exact.energy.isfinite().all() and exact.forces.isfinite().all()):
        whose = "the policy" if bad else "float64 itself"
        return Roughness(pair, len(frames), absent=f"{whose} gives values that are no numbers")
    distances = np.array([f.get_distance(0, 1) for f in frames])
    along = torch.from_numpy(np.stack([(f.positions[1] - f.positions[0]) / d for f, d in zip(frames, distances, strict=True)]))
    own, right = ((e.forces[1::2] * along).sum(1) for e in (found, exact))
    error = found.energy - exact.energy
    steps = error.diff().abs()
    at = int(steps.argmax())
    large = right.abs() > SMALLEST * right.abs().max()
    turned = large & (own.sign() != right.sign())
    return Roughness(
        pair, len(frames), float(error.abs().max()) * MILLI, float((found.forces - exact.forces).norm(dim=1).max()) * MILLI,
        float(steps[at]) * MILLI, float(distances[at]), max(0, _changes(own[large]) - _changes(right[large])),
        int(turned.sum()), float(right[turned].abs().max()) * MILLI if bool(turned.any()) else 0.0,
    )  # fmt: skip


def _changes(values: torch.Tensor) -> int:
    signs = values.sign()
    return int((signs[1:] != signs[:-1]).sum())
