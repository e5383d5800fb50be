"""The error of any policy, from a model's sensitivities, before anything runs.

What rounds at random adds up in quadrature, block by block and part by part, each with the roundoff of its format; what is known of stored numbers
is added with its sign. Everything is of first order in the roundoff: errors that are not small beside the values are predicted as large, and no
more. An energy is one number for a structure: where it matters which, :meth:`mpcheck.policy.calls.Calls.emulated` gives what all blocks in fewer
than float32's bits do together, for one call.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from mpcheck.policy.assignment import assigned
from mpcheck.policy.calls import NODES, Calls, Response
from mpcheck.policy.rules import BlockFormat, Policy
from mpcheck.policy.sensitivity import WEIGHTS, Sensitivity
from mpcheck.policy.shares import ENERGIES, Share, format_of, shares, spread

MEV = 1e3


@dataclass(frozen=True)
class Prediction:
    """Errors that a policy will have.

    Attributes:
        energy: RMS error of each structure's energy per atom [structures], meV/atom: of the total, which holds energies of isolated atoms as the policy
            sums them. interaction: the same without those. forces: RMS error of each component [atoms, 3], meV/Å. stress: [structures, 3, 3], meV/Å³.
        reference: RMS force of the model, meV/Å. overflowing: subjects that hold values beyond the largest number of their format, which make all
            errors infinite. shares: by subject.
    """

    energy: torch.Tensor
    interaction: torch.Tensor
    forces: torch.Tensor
    stress: torch.Tensor
    reference: float
    overflowing: tuple[str, ...]
    shares: dict[str, Share]

    @property
    def energy_rms(self) -> float:
        """Over structures, meV/atom."""
        return rms(self.energy)

    @property
    def interaction_rms(self) -> float:
        """Over structures, meV/atom; NaN where none has one."""
        return rms(self.interaction[~self.interaction.isnan()])

    @property
    def force_rms(self) -> float:
        """Over all components, meV/Å."""
        return rms(self.forces)

    @property
    def force_relative(self) -> float:
        """As a part of the RMS force; NaN where there is none."""
        return self.force_rms / self.reference if self.reference > 0 else float("nan")

    @property
    def stress_rms(self) -> float:
        """Over all components of structures that have one, meV/Å³; NaN where none has."""
        return rms(self.stress[~self.stress.isnan()])


def predicted(
    sensitivity: Sensitivity, policy: Policy, formats: Mapping[str, BlockFormat], device: str = "cpu", emulated: Response | None = None
) -> Prediction:
    """The error of a policy.

    Args:
        formats: of its leaves, by :func:`mpcheck.policy.assignment.assigned`. device: type whose kernels' sums are meant.
        emulated: of the policy on the same structures, see :meth:`mpcheck.policy.calls.Calls.emulated`; None where quadrature is enough.
    """
    own = shares(sensitivity, policy, formats, device)
    squares = _squares(sensitivity, own, emulated)
    errors = {n: v.sqrt() * MEV for n, v in squares.items()}
    atoms = torch.bincount(sensitivity.batch, minlength=len(errors["energy"]))
    overflowing = tuple(
        s.name
        for s in sensitivity.subjects.values()
        if (s.peak_apart if policy.energies == "apart" else s.peak) > format_of(policy, formats.get(s.name, policy.default()), s).largest
    )
    if overflowing:
        errors = {n: torch.full_like(v, torch.inf) for n, v in errors.items()}
    reference = rms(sensitivity.values["forces"]) * MEV
    return Prediction(errors["energy"] / atoms, errors["interaction"] / atoms, errors["forces"], errors["stress"], reference, overflowing, own)


def _squares(sensitivity: Sensitivity, own: Mapping[str, Share], emulated: Response | None) -> Response:
    """Mean square errors of every quantity."""
    zero = {n: torch.zeros_like(v) for n, v in sensitivity.values.items()}
    random = {n: sum((s.random[n] for s in own.values() if n in s.random), zero[n]) for n in zero}
    if emulated is None:
        coarse = {n: sum((s.coarse[n] for s in own.values() if n in s.coarse), zero[n]) for n in zero}
        known = {n: sum((s.known[n] for s in own.values() if n in s.known), zero[n]) for n in zero}
    else:
        weights = own[WEIGHTS].known if WEIGHTS in own else zero
        known = {n: emulated[n] + weights[n] for n in zero}
        coarse = zero
    varying = spread(known[NODES], sensitivity)
    return {n: random[n] + coarse[n] + known[n].square() + (varying if n in ENERGIES else 0.0) for n in zero if n != NODES}


def prediction(calls: Calls, sensitivity: Sensitivity, policy: Policy, device: str = "cpu", exact: bool = True) -> Prediction:
    """The error of a policy of a model.

    Args:
        calls: of the model on the structures of its sensitivities. exact: with the emulation of the policy, one more call.

    Raises:
        InputError: a rule that names no block. BaseException: whatever the model raises.
    """
    formats = assigned(policy, calls.blocks)
    return predicted(sensitivity, policy, formats, device, calls.emulated(policy, formats) if exact else None)


def rms(values: torch.Tensor) -> float:
    """Root mean square; NaN of nothing."""
    return float(values.square().mean().sqrt()) if values.numel() else float("nan")
