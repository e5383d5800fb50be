"""What each part of a model adds to a policy's error: roundoff of its formats times its sensitivity."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import torch

from mpcheck.formats import F16, F64, FLOAT32, FLOAT64, FORMATS, NARROW, TF32_NAME, WIDE, Format, Storage
from mpcheck.policy.noise.calls import NODES, Response
from mpcheck.policy.noise.disturbance import Part
from mpcheck.policy.noise.sensitivity import CELL, COORDINATES, WEIGHTS, Sensitivity
from mpcheck.policy.noise.subjects import Subject
from mpcheck.policy.rules import BlockFormat, Policy, carrier

TWIN: Mapping[str, Storage] = {TF32_NAME: F16}
"""A storage type with as many significant bits as a format rounds weights to."""
ENERGIES = ("energy", "interaction")
EMULATED: tuple[Part, ...] = ("given", "operand", "result", "gather")
"""Parts that :mod:`mpcheck.policy.noise.rounding` rounds; how other sums are added is a kernel's own."""


@dataclass(frozen=True)
class Share:
    """What one subject adds to a policy's error, by quantity.

    Attributes:
        random: mean squares of what rounds in float32 or better, and of partial sums in any format. coarse: of the rest, which an emulation rounds.
            known: signed, of what is stored.
    """

    random: Response = field(default_factory=dict)
    coarse: Response = field(default_factory=dict)
    known: Response = field(default_factory=dict)


def shares(sensitivity: Sensitivity, policy: Policy, formats: Mapping[str, BlockFormat], device: str = "cpu") -> dict[str, Share]:
    """By subject; energies as the policy sums them.

    Args:
        formats: of the leaves, by :func:`mpcheck.policy.assignment.assigned`. device: type whose kernels' sums are meant.
    """
    return dict(_shares(sensitivity, policy, formats, device))


def _shares(sensitivity: Sensitivity, policy: Policy, formats: Mapping[str, BlockFormat], device: str) -> Iterator[tuple[str, Share]]:
    apart, base = policy.energies == "apart", carrier(policy.base)
    operands: Storage = policy.autocast or TWIN.get(policy.base) or F64
    stored: list[tuple[str, Storage]] = [(COORDINATES, base), (CELL, operands)]
    for name, storage in [(WEIGHTS, base), *stored] if base == FLOAT32.name else stored:
        if response := sensitivity.known.get((name, storage)):
            yield name, _summed(Share(known=response), apart, outside=False)
    for subject in sensitivity.subjects.values():
        share = _share(sensitivity, policy, formats.get(subject.name, policy.default()), subject, device)
        yield subject.name, _summed(share, apart, outside=sensitivity.summed and subject.adds_energies)


def _share(sensitivity: Sensitivity, policy: Policy, fmt: BlockFormat, subject: Subject, device: str) -> Share:
    random: Response = {}
    coarse: Response = {}
    known: Response = {}
    narrow = alone(policy, fmt, subject)
    for storage in stored_types(policy, fmt, subject):
        _add(known, sensitivity.known.get((subject.name, storage), {}))
    for part, u in roundoff(policy, fmt, subject, device).items():
        if u and not (narrow and part in EMULATED):
            _add(coarse if u > WIDE and part in EMULATED else random, sensitivity.noise.get((subject.name, part), {}), u**2)
    if narrow:
        deviation, weights = sensitivity.emulated[subject.name, narrow], sensitivity.known.get((subject.name, narrow), {})
        _add(coarse, {n: (v - weights.get(n, 0.0)).square() for n, v in deviation.items()})
        varying = spread(deviation[NODES], sensitivity)
        _add(coarse, dict.fromkeys(ENERGIES, varying))
    return Share(random, coarse, known)


def _add(total: Response, more: Mapping[str, torch.Tensor], factor: float = 1.0) -> None:
    for name, value in more.items():
        total[name] = total[name] + factor * value if name in total else factor * value


def _summed(share: Share, apart: bool, outside: bool) -> Share:
    """A share in the energy that a policy sums apart is one in the interaction energy, and none where that sum is taken ``outside`` the model."""
    if not apart:
        return share
    sides = []
    for side in (share.random, share.coarse, share.known):
        own = dict(side)
        if own:
            own["interaction"] = torch.zeros_like(own["interaction"]) if outside else own["interaction"]
            own["energy"] = own["interaction"]
            if not bool(own["interaction"].any()):  # energies of isolated atoms are no part of what is summed
                own[NODES] = torch.zeros_like(own[NODES])
        sides.append(own)
    return Share(*sides)


def format_of(policy: Policy, fmt: BlockFormat, subject: Subject) -> Format:
    """What a subject's results are in."""
    return FORMATS[policy.autocast if policy.autocast and "operand" in subject.parts else fmt.compute]


def roundoff(policy: Policy, fmt: BlockFormat, subject: Subject, device: str = "cpu") -> dict[Part, float]:
    """Unit roundoff of each part of a subject.

    What a block is given is rounded anew only where the block computes in fewer bits than the base, whose results its arguments are.
    """
    compute, base = FORMATS[fmt.compute].on(device), FORMATS[policy.base].on(device)
    handed, kept = FORMATS[fmt.interface].roundoff["operation"], FORMATS[fmt.accumulate].roundoff["operation"]
    found: dict[Part, float] = {
        "given": compute["stored"] if compute["stored"] > base["stored"] else 0.0,
        "operand": compute["operand"],
        "result": max(compute["operation"], handed),
        "sums": max(compute["scatter"] if subject.kind == "step" else compute["inner"], kept),
        "gather": max(compute["gather"], kept),
    }
    if policy.autocast and "operand" in subject.parts:
        u = FORMATS[policy.autocast].roundoff["product"]
        found |= {"operand": u, "result": u}
    return found


def alone(policy: Policy, fmt: BlockFormat, subject: Subject) -> Storage | None:
    """The 16-bit type that a leaf computes in where its surroundings do not, so that everything in it is rounded anew."""
    if subject.kind != "leaf" or policy.base in NARROW:
        return None
    if policy.autocast:
        return policy.autocast if "operand" in subject.parts else None
    return fmt.compute if fmt.compute in NARROW else None


def stored_types(policy: Policy, fmt: BlockFormat, subject: Subject) -> list[Storage]:
    """Storage types whose known rounding a leaf's weights take, one after another; float32's are the whole model's."""
    if subject.kind != "leaf":
        return []
    products = "operand" in subject.parts
    computed = policy.autocast if policy.autocast and products else (TWIN.get(fmt.compute) if products else None) or carrier(fmt.compute)
    return [t for t in dict.fromkeys([fmt.storage, computed]) if t not in (FLOAT64.name, FLOAT32.name)]


def spread(nodes: torch.Tensor, sensitivity: Sensitivity) -> torch.Tensor:
    """Variance of known energies between structures that differ in where their atoms are, from how atoms of one element differ [structures], eV²."""
    elements, structures = sensitivity.elements, len(sensitivity.values["energy"])
    count = torch.bincount(elements).clamp(min=1)
    mean = torch.zeros(len(count), dtype=nodes.dtype).index_add(0, elements, nodes) / count
    own = (nodes - mean[elements]).square() * (count / (count - 1).clamp(min=1))[elements]
    return torch.zeros(structures, dtype=nodes.dtype).index_add(0, sensitivity.batch, own.nan_to_num())
