"""The error budget of a policy: which block spends how much of it, and beside it the bound that worst cases add up to."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch

from mpcheck.policy.noise.calls import Response
from mpcheck.policy.noise.disturbance import Part
from mpcheck.policy.noise.prediction import MEV, rms
from mpcheck.policy.noise.sensitivity import Sensitivity
from mpcheck.policy.noise.shares import Share, roundoff, shares
from mpcheck.policy.rules import BlockFormat, Policy

LABEL_NOISE = 1.0
"""meV/atom: what density functional labels are known to."""
FORCE_LINE = 10.0
"""meV/Å: forces that molecular dynamics does not notice."""
UNIFORM = 3.0**0.5
"""A number that is uniform in [-1, 1], as the noise of a unit roundoff of one is, has a root mean square of one over this."""


@dataclass(frozen=True)
class Spent:
    """What one block, step, or what is stored spends.

    Attributes:
        block: its name. role: in words. format: what it runs in, in words. energy, force, stress: RMS error that it alone makes, meV/atom, meV/Å,
            meV/Å³ (None where no structure has a stress).
        *_share: its part of the sum of squares. *_gain: RMS error of the output for one per cent of relative error in what the block is given (in its
            results, where it is a step). *_bound: that of an error of the block's own roundoff in all that it is given, and in all its results.
    """

    block: str
    role: str
    format: str
    energy: float
    force: float
    stress: float | None
    energy_share: float
    force_share: float
    stress_share: float | None
    energy_gain: float | None
    force_gain: float | None
    energy_bound: float | None
    force_bound: float | None

    def fields(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


@dataclass(frozen=True)
class ErrorBudget:
    """Of a policy.

    Attributes:
        rows: the largest share of the force error first. energy, force, stress: of all together, in quadrature. *_bound: sum of all rows' bounds.
    """

    rows: tuple[Spent, ...]
    energy: float
    force: float
    stress: float | None
    energy_bound: float
    force_bound: float


def error_budget(sensitivity: Sensitivity, policy: Policy, formats: Mapping[str, BlockFormat], device: str = "cpu") -> ErrorBudget:
    """Which block spends how much.

    Args:
        formats: of its leaves, by :func:`mpcheck.policy.assignment.assigned`. device: type whose kernels' sums are meant.
    """
    own = {name: _errors(share, sensitivity) for name, share in shares(sensitivity, policy, formats, device).items()}
    total = {n: math.sqrt(sum(e[n] ** 2 for e in own.values())) for n in ("energy", "forces", "stress")}
    rows = [_row(name, errors, total, sensitivity, policy, formats, device) for name, errors in own.items()]
    rows.sort(key=lambda r: (-r.force_share, -r.energy_share))
    bounds = [sum(b for r in rows if (b := getattr(r, f"{kind}_bound")) is not None) for kind in ("energy", "force")]
    return ErrorBudget(tuple(rows), total["energy"], total["forces"], _some(total["stress"]), bounds[0], bounds[1])


def _errors(share: Share, sensitivity: Sensitivity) -> dict[str, float]:
    """RMS errors that a share makes alone."""
    squares: Response = {}
    for name in ("energy", "forces", "stress"):
        parts = [side[name] for side in (share.random, share.coarse) if name in side]
        parts += [share.known[name].square()] if name in share.known else []
        squares[name] = sum(parts, torch.zeros_like(sensitivity.values[name]))
    return _root_mean(squares, sensitivity)


def _root_mean(squares: Response, sensitivity: Sensitivity) -> dict[str, float]:
    atoms = torch.bincount(sensitivity.batch, minlength=len(sensitivity.values["energy"]))
    energy, stress = squares["energy"].sqrt() / atoms, squares["stress"].sqrt()
    return {"energy": MEV * rms(energy), "forces": MEV * rms(squares["forces"].sqrt()), "stress": MEV * rms(stress[~stress.isnan()])}


def _row(
    name: str, errors: Mapping[str, float], total: Mapping[str, float], sensitivity: Sensitivity, policy: Policy,
    formats: Mapping[str, BlockFormat], device: str,
) -> Spent:  # fmt: skip
    share = {n: (errors[n] / total[n]) ** 2 if total[n] > 0 else 0.0 for n in errors}
    subject = sensitivity.subjects.get(name)
    gains: dict[str, float] = {}
    bounds: dict[str, float] = {}
    fmt = formats.get(name, policy.default())
    if subject is not None:
        u = max(roundoff(policy, fmt, subject, device).values())
        responses = [_gain(sensitivity, policy, name, part) for part in ("given", "result") if part in subject.parts]
        gains = {n: responses[0][n] for n in responses[0]} if responses else {}
        bounds = {n: u * sum(r[n] for r in responses) for n in gains}
    energy, force = gains.get("energy"), gains.get("forces")
    return Spent(
        name, name if subject is None else subject.role, fmt.words if subject is not None and subject.kind == "leaf" else policy.base,
        errors["energy"], errors["forces"], _some(errors["stress"]), share["energy"], share["forces"], _some(share["stress"]),
        None if energy is None else energy / 100, None if force is None else force / 100,
        bounds.get("energy"), bounds.get("forces"),
    )  # fmt: skip


def _gain(sensitivity: Sensitivity, policy: Policy, subject: str, part: Part) -> dict[str, float]:
    """RMS error for a relative error of one in all that is given, or all results, at random."""
    response = dict(sensitivity.noise[subject, part])
    if policy.energies == "apart":
        response["energy"] = response["interaction"]
    return {n: UNIFORM * v for n, v in _root_mean(response, sensitivity).items()}


def _some(value: float) -> float | None:
    return None if math.isnan(value) else value
