"""The error of any policy, from a model's sensitivities, before anything runs.

What rounds at random adds up in quadrature, block by block and part by part, each with the roundoff of its format; what is known of the rounding
of stored weights and coordinates is added with its sign. Everything is of first order in the roundoff: errors that are not small beside the values
are predicted as large, and no more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch

from mpcheck.formats import FLOAT32, FLOAT64, FORMATS, Format
from mpcheck.policy.disturbance import Part
from mpcheck.policy.rules import BlockFormat, Policy, Storage, carrier
from mpcheck.policy.sensitivity import CELL, COORDINATES, WEIGHTS, Response, Sensitivity, Subject

MEV = 1e3
TWIN: Mapping[str, Storage] = {"tf32": "float16"}
"""A storage type with as many significant bits as a format rounds weights to."""


@dataclass(frozen=True)
class Share:
    """What one subject adds to a policy's error.

    Attributes:
        noise: mean squares. known: signed. Both by quantity: see :data:`mpcheck.policy.sensitivity.Response`.
    """

    noise: Response
    known: Response


@dataclass(frozen=True)
class Prediction:
    """Errors that a policy will have.

    Attributes:
        energy: RMS error of each structure's energy per atom [structures], meV/atom: of the total, which holds energies of isolated atoms as the policy
            sums them. interaction: the same without those. forces: RMS error of each component [atoms, 3], meV/Å. stress: [structures, 3, 3], meV/Å³.
        reference: RMS force of the model, meV/Å. overflowing: subjects that hold values beyond the largest number of their format.
        shares: by subject.
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
        return _rms(self.energy)

    @property
    def force_rms(self) -> float:
        """Over all components, meV/Å."""
        return _rms(self.forces)

    @property
    def force_relative(self) -> float:
        """As a part of the RMS force; NaN where there is none."""
        return self.force_rms / self.reference if self.reference > 0 else float("nan")

    @property
    def stress_rms(self) -> float:
        """Over all components of structures that have one, meV/Å³; NaN where none has."""
        return _rms(self.stress[~self.stress.isnan()])


def predicted(sensitivity: Sensitivity, policy: Policy, formats: Mapping[str, BlockFormat], device: str = "cpu") -> Prediction:
    """The error of a policy.

    Args:
        formats: of its leaves, by :func:`mpcheck.policy.assignment.assigned`. device: type whose kernels' sums are meant.
    """
    shares = {name: share for name, share in _shares(sensitivity, policy, formats, device)}
    zero = {n: torch.zeros_like(v) for n, v in sensitivity.values.items()}
    noise = {n: sum((s.noise[n] for s in shares.values() if n in s.noise), zero[n]) for n in zero}
    known = {n: sum((s.known[n] for s in shares.values() if n in s.known), zero[n]) for n in zero}
    rms = {n: (noise[n] + known[n].square()).sqrt() * MEV for n in zero}
    atoms = torch.bincount(sensitivity.batch, minlength=len(rms["energy"]))
    overflowing = tuple(s.name for s in sensitivity.subjects.values() if s.peak > _format(policy, formats, s).largest)
    if overflowing:
        rms = {n: torch.full_like(v, torch.inf) for n, v in rms.items()}
    return Prediction(
        rms["energy"] / atoms, rms["interaction"] / atoms, rms["forces"], rms["stress"], _rms(sensitivity.values["forces"]) * MEV, overflowing, shares
    )


def _shares(sensitivity: Sensitivity, policy: Policy, formats: Mapping[str, BlockFormat], device: str) -> Iterator[tuple[str, Share]]:
    """What every subject adds; energies as the policy sums them."""
    apart = policy.energies == "apart"
    base = carrier(policy.base)
    if single := sensitivity.known.get((WEIGHTS, "float32")) if base == FLOAT32.name else None:
        yield WEIGHTS, _summed(Share({}, single), apart, False)
    if shifted := sensitivity.known.get((COORDINATES, base)):
        yield COORDINATES, _summed(Share({}, shifted), apart, False)
    if selected := sensitivity.known.get((CELL, _operands(policy))):
        yield CELL, _summed(Share({}, selected), apart, False)
    for subject in sensitivity.subjects.values():
        own = _own(policy, formats, subject)
        noise: Response = {}
        for part, u in roundoff(policy, own, subject, device).items():
            if u and (response := sensitivity.noise.get((subject.name, part))):
                noise = {n: noise.get(n, 0.0) + u**2 * v for n, v in response.items()}
        known: Response = {}
        for storage in stored(policy, own, subject):
            if response := sensitivity.known.get((subject.name, storage)):
                known = {n: known.get(n, 0.0) + v for n, v in response.items()}
        yield subject.name, _summed(Share(noise, known), apart, apart and sensitivity.summed and subject.adds_energies)


def _summed(share: Share, apart: bool, outside: bool) -> Share:
    """A share in the energy that a policy sums apart is one in the interaction energy, and none where that sum is taken outside the model."""
    if not apart:
        return share
    sides = []
    for side in (share.noise, share.known):
        own = dict(side)
        if own:
            own["interaction"] = torch.zeros_like(own["interaction"]) if outside else own["interaction"]
            own["energy"] = own["interaction"]
        sides.append(own)
    return Share(*sides)


def _operands(policy: Policy) -> Storage:
    """Type whose significant bits the operands of products have that lie between blocks."""
    return policy.autocast or TWIN.get(policy.base) or "float64"


def _own(policy: Policy, formats: Mapping[str, BlockFormat], subject: Subject) -> BlockFormat:
    return formats.get(subject.name, policy.default())


def _format(policy: Policy, formats: Mapping[str, BlockFormat], subject: Subject) -> Format:
    if policy.autocast and "operand" in subject.parts:
        return FORMATS[policy.autocast]
    return FORMATS[_own(policy, formats, subject).compute]


def roundoff(policy: Policy, fmt: BlockFormat, subject: Subject, device: str = "cpu") -> dict[Part, float]:
    """Unit roundoff of each part of a subject.

    What a block is given is rounded anew only where the block computes in fewer bits than the base, whose results its arguments are.
    """
    compute, base = FORMATS[fmt.compute].on(device), FORMATS[policy.base].on(device)
    handed = FORMATS[fmt.interface].roundoff["operation"]
    given = compute["stored"] if compute["stored"] > base["stored"] else 0.0
    kept = FORMATS[fmt.accumulate].roundoff["operation"]
    found: dict[Part, float] = {
        "given": given,
        "operand": compute["operand"],
        "result": max(compute["operation"], handed),
        "sums": max(compute["inner"], kept),
        "gather": max(compute["gather"], kept),
    }
    if policy.autocast and "operand" in subject.parts:
        u = FORMATS[policy.autocast].roundoff["product"]
        found |= {"operand": u, "result": u}
    return found


def stored(policy: Policy, fmt: BlockFormat, subject: Subject) -> list[Storage]:
    """Storage types whose known rounding a block's weights take; float32's are the whole model's."""
    if subject.kind != "leaf":
        return []
    compute: str = policy.autocast if policy.autocast and "operand" in subject.parts else fmt.compute
    types: list[Storage] = [fmt.storage, (TWIN.get(compute) if "operand" in subject.parts else None) or carrier(compute)]  # type: ignore[arg-type,list-item]  # names of both
    return [t for t in dict.fromkeys(types) if t not in (FLOAT64.name, FLOAT32.name)]


def _rms(values: torch.Tensor) -> float:
    return float(values.square().mean().sqrt()) if values.numel() else float("nan")


