"""Errors of energies, forces and stress against float64, over structures: Eqs. 2.18-2.21 of the thesis "Speeding up MACE" (seeds/003).

``AE_E = |dE| / N``, ``RAE_E = |dE| / |E|``, ``AE_F`` the mean over atoms of ``|df_a|``, ``RAE_F = |dF| / |F|`` in the Frobenius norm.
Where one value is no number there is no figure of its kind: what is left would look better than the model is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from mpcheck.policy.evaluation import Evaluation
from mpcheck.policy.judging.batches import selected
from mpcheck.policy.judging.force_tests import ForceTests
from mpcheck.policy.judging.structures import Sets

MILLI = 1e3
GPA = 160.21766208
"""GPa in one eV/Å^3."""
LARGE = 0.1
"""Of the largest component: smaller ones symmetry may make zero."""
LABEL_NOISE = 1e-3
"""eV/atom: what density functional labels are known to. An energy below it has no relative error that means anything."""


@dataclass(frozen=True)
class Spread:
    """A figure over structures.

    Attributes:
        mean, p95, rms, worst: None where there is no figure, and ``absent`` says why. count: of structures that it is over.
    """

    mean: float | None = None
    p95: float | None = None
    rms: float | None = None
    worst: float | None = None
    count: int = 0
    absent: str = ""


@dataclass(frozen=True)
class WorstAtom:
    """The atom whose force is farthest off."""

    structure: str
    place: int
    atom: int
    element: str
    error_meV_per_A: float


@dataclass(frozen=True)
class SetErrors:
    """Errors over some structures.

    Attributes:
        energy_*, interaction_*: AE_E and RAE_E, of the total and without energies of isolated atoms.
        force_meV_per_A, force_relative: AE_F and RAE_F; force_rms_meV_per_A: of all components of all atoms together, None as there.
        cosine_mean, cosine_worst: of the angle between an atom's force and the right one, over atoms whose force is above the scale.
        stress_*: RMS over the nine components of each structure. nonfinite: structures with values that are no numbers, by quantity.
        refused: why some structures are no test of forces.
    """

    structures: int
    atoms: int
    energy_meV_per_atom: Spread
    energy_relative: Spread
    interaction_meV_per_atom: Spread
    interaction_relative: Spread
    force_meV_per_A: Spread
    force_relative: Spread
    force_rms_meV_per_A: float | None
    cosine_mean: float | None
    cosine_worst: float | None
    worst_atom: WorstAtom | None
    stress_meV_per_A3: Spread
    stress_GPa: Spread
    nonfinite: dict[str, int]
    refused: tuple[str, ...] = ()


def spread(values: torch.Tensor, absent: str = "") -> Spread:
    """Of one number a structure; no figure where there is a reason, none is left, or one is no number."""
    if not absent and not len(values):
        absent = "no structure has this quantity"
    if not absent and not bool(torch.isfinite(values).all()):
        absent = "a value is no number"
    if absent:
        return Spread(count=len(values), absent=absent)
    numbers = values.numpy()
    return Spread(
        float(numbers.mean()), float(np.percentile(numbers, 95)), float(np.sqrt(np.mean(numbers**2))), float(numbers.max()), len(numbers)
    )  # fmt: skip


def set_errors(found: Evaluation, exact: Evaluation, sets: Sets, places: Sequence[int], tests: ForceTests) -> SetErrors:
    """Errors over some of all frames.

    Args:
        found: of the policy, over all frames of the sets; exact: of the reference.
    """
    own, right = selected(found, places), selected(exact, places)
    bad = nonfinite_in(own, right)
    energy, energy_relative = _energy(own.energy, right.energy, right.atoms, bad["energy"])
    interaction, interaction_relative = _energy(own.interaction, right.interaction, right.atoms, bad["interaction"])
    forces = _Forces(found, exact, sets, [p for p in places if p not in tests.refused], tests, bad["forces"])
    cosine_mean, cosine_worst = forces.cosines()
    periodic = right.stress.isfinite().all(-1).all(-1)
    stress = (own.stress - right.stress)[periodic].square().mean((1, 2)).sqrt()
    no_stress = _told(bad["stress"], "stress")
    return SetErrors(
        structures=len(places), atoms=int(right.atoms.sum()), energy_meV_per_atom=energy, energy_relative=energy_relative,
        interaction_meV_per_atom=interaction, interaction_relative=interaction_relative, force_meV_per_A=forces.means(),
        force_relative=forces.relative(), force_rms_meV_per_A=forces.rms(), cosine_mean=cosine_mean, cosine_worst=cosine_worst,
        worst_atom=forces.worst(), stress_meV_per_A3=spread(stress * MILLI, no_stress), stress_GPa=spread(stress * GPA, no_stress),
        nonfinite={n: int(b.sum()) for n, b in bad.items()}, refused=tuple(tests.refused[p] for p in places if p in tests.refused),
    )  # fmt: skip


def nonfinite_in(own: Evaluation, right: Evaluation) -> dict[str, torch.Tensor]:
    """Which structures have values that are no numbers where float64 has one, by quantity, [structures]."""
    bad = {}
    for name, value in own.values().items():
        lost = ~value.isfinite() & right.values()[name].isfinite()
        rows = lost.reshape(len(lost), -1).any(1)
        bad[name] = torch.zeros(len(own.energy), dtype=torch.bool).index_put((own.batch[rows],), torch.tensor(True)) if name == "forces" else rows
    return bad | {"stress": bad["stress"] | _zeroed(own.stress, right.stress, bad["forces"])}


def _zeroed(own: torch.Tensor, right: torch.Tensor, lost: torch.Tensor) -> torch.Tensor:
    """Structures whose stress is exactly zero and should not be: upstream writes zero in the place of each component that is no number.

    All nine components are never rounded to zero at once. One of them may be in 16 bits, and tells of something only where forces are lost, too.
    """
    zero = (own == 0) & right.isfinite() & (right.abs() >= LARGE * right.abs().amax((-2, -1), keepdim=True)) & (right != 0)
    whole = (own == 0).all(-1).all(-1)
    return zero.any(-1).any(-1) & (whole | lost)


def _told(bad: torch.Tensor, what: str) -> str:
    return f"{int(bad.sum())} of {len(bad)} structures have {what} that are no numbers" if bool(bad.any()) else ""


def _energy(own: torch.Tensor, right: torch.Tensor, atoms: torch.Tensor, bad: torch.Tensor) -> tuple[Spread, Spread]:
    known = right.isfinite()
    if not bool(known.any()):
        absent = "the model does not tell it"
        return Spread(absent=absent), Spread(absent=absent)
    error, absent = (own - right).abs(), _told(bad, "energies")
    large = known & (right.abs() / atoms > LABEL_NOISE)
    near = "" if bool(large.any()) else f"every energy is below {LABEL_NOISE * MILLI:g} meV/atom: nothing to divide by"
    return spread((error / atoms)[known] * MILLI, absent), spread((error / right.abs())[large], absent or near)


class _Forces:
    """Errors of forces over structures that can test them."""

    def __init__(self, found: Evaluation, exact: Evaluation, sets: Sets, places: Sequence[int], tests: ForceTests, bad: torch.Tensor) -> None:
        self.own, self.right = selected(found, places), selected(exact, places)
        self.sets, self.places = sets, places
        self.scales = torch.tensor([tests.scales[p] for p in places], dtype=torch.float64)[self.right.batch] if places else torch.zeros(0)
        self.absent = _told(bad, "forces") or ("" if places else "no structure is a test of forces")
        self.error = (self.own.forces - self.right.forces).norm(dim=1)

    def means(self) -> Spread:
        """AE_F."""
        return spread(self._sums(self.error) / self.right.atoms * MILLI, self.absent)

    def relative(self) -> Spread:
        """RAE_F."""
        return spread((self._sums(self.error.square()) / self._sums(self.right.forces.square().sum(1))).sqrt(), self.absent)

    def rms(self) -> float | None:
        """Over all components of all atoms."""
        return None if self.absent else float((self.own.forces - self.right.forces).square().mean().sqrt()) * MILLI

    def _sums(self, rows: torch.Tensor) -> torch.Tensor:
        return torch.zeros(len(self.places), dtype=torch.float64).index_add_(0, self.right.batch, rows)

    def cosines(self) -> tuple[float | None, float | None]:
        """Mean and worst."""
        sizes = self.right.forces.norm(dim=1)
        large = sizes > self.scales
        if self.absent or not bool(large.any()):
            return None, None
        product = (self.own.forces * self.right.forces).sum(1)[large]
        own = self.own.forces.norm(dim=1)[large]
        cosine = torch.where(own > 0, product / (own * sizes[large]).clamp_min(torch.finfo(torch.float64).tiny), 0.0)
        return float(cosine.mean()), float(cosine.min())

    def worst(self) -> WorstAtom | None:
        """Also where some are no numbers, of the others."""
        error = self.error.nan_to_num(nan=-1.0, posinf=-1.0)
        if not len(error) or float(error.max()) < 0:
            return None
        row = int(error.argmax())
        structure = int(self.right.batch[row])
        place = self.places[structure]
        atom = row - int((self.right.batch < structure).sum())
        return WorstAtom(self.sets.labels[place], place, atom, self.sets.frames[place][atom].symbol, float(error[row]) * MILLI)
