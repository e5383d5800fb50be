"""The gradient of the loss against finite differences of the loss: by which the reference itself is judged.

A gradient that lacks the part of the forces, because their backward has no backward, is wrong in every format alike, and no comparison of formats
shows it. Along a direction in the space of parameters the loss is displaced to both sides at three steps and extrapolated
(:func:`mpcheck.checks.physics.forces.extrapolated`); what the derivative may be off is computed from truncation and rounding.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from mpcheck.adapters.learning.batch import labelled
from mpcheck.adapters.learning.taking import Settings, Taken, loss_function, loss_of
from mpcheck.adapters.upstream import default_dtype, quiet
from mpcheck.checks.physics.forces import OFFSETS, SEEN, SHRINK, SMOOTH, extrapolated
from mpcheck.checks.physics.structure import SIGMAS, rms
from mpcheck.learning.step.names import DERIVATIVE
from mpcheck.learning.step.whole import Tensors
from mpcheck.records.detail import figures
from mpcheck.records.record import Record
from mpcheck.reference.noise import seed_of

STEP = 1e-3
"""First step, of the size of the parameters: their loss is smooth over a hundredth of that."""


@dataclass(frozen=True)
class Direction:
    """A displacement of some parameters of a model.

    Attributes:
        name: what is displaced, in words. by: by parameter.
    """

    name: str
    by: Tensors


def directions(parameters: Mapping[str, torch.Tensor], groups: Mapping[str, Sequence[str]], seed: int) -> list[Direction]:
    """A direction for each group: normal numbers of the size of each parameter.

    Args:
        groups: names of parameters by what is said of them.
    """

    def drawn(name: str) -> torch.Tensor:
        generator = torch.Generator().manual_seed(seed_of("direction", seed, name))
        like = parameters[name].detach()
        return (torch.randn(like.shape, dtype=torch.float64, generator=generator) * (rms(like) or 1.0)).to(like.device)

    return [Direction(name, {n: drawn(n) for n in members}) for name, members in groups.items()]


def losses(model: torch.nn.Module, graph: Tensors, labels: Tensors, settings: Settings) -> Callable[[Direction, float], float]:
    """The loss of a float64 model with its parameters displaced along a direction by a step; it is put back."""
    own = dict(model.named_parameters())
    device = next(iter(own.values())).device
    loss, batch = loss_function(settings, torch.float64, device), labelled(graph, labels, torch.float64, device)

    def at(direction: Direction, step: float) -> float:
        before = {n: own[n].data for n in direction.by}
        try:
            for name, displacement in direction.by.items():
                own[name].data = before[name] + step * displacement
            with quiet(), default_dtype(torch.float64):
                return float(loss_of(model, batch, loss, settings))
        finally:
            for name, data in before.items():
                own[name].data = data

    return at


def judged(
    at: Callable[[Direction, float], float], chosen: Sequence[Direction], taken: Taken, noises: Mapping[str, float], sigma: float,
    blocks: Sequence[str], about: Mapping[str, Any],
) -> Record:  # fmt: skip
    """The record of a backend's float64 gradient.

    Args:
        at: see :func:`losses`. noises: RMS rounding error of each gradient in float64, by the backend's name of its parameter. sigma: of the loss.
        blocks: names that a direction may have, of which a failure blames one.
    """
    exact = torch.tensor([_along(d, taken.gradients) for d in chosen], dtype=torch.float64)
    rounding = torch.tensor([math.sqrt(sum((noises.get(n, 0.0) ** 2) * float(t.square().sum()) for n, t in d.by.items())) for d in chosen])
    step = STEP
    numeric = _at(at, chosen, step, sigma)
    while step > STEP / SHRINK**2 and bool((numeric.allowed > SMOOTH * numeric.value.abs().max()).any()):
        step /= SHRINK
        numeric = _at(at, chosen, step, sigma)
    allowed = numeric.allowed + SIGMAS * rounding.to(numeric.allowed)
    ratios = (exact - numeric.value).abs() / allowed
    about = {**about, "subject": DERIVATIVE}
    resolved = allowed <= SEEN * torch.maximum(numeric.value.abs(), exact.abs())
    worst = int(ratios.nan_to_num(nan=math.inf).argmax())
    told = f"{chosen[worst].name}: the gradient of the loss is {float(exact[worst]):.8g} where its differences are {float(numeric.value[worst]):.8g}"
    detail = figures({"directions": float(len(chosen)), "resolved": float(resolved.sum()), "step": step})
    if not bool((ratios <= 1).all()):
        block = chosen[worst].name if chosen[worst].name in blocks and int((~(ratios <= 1)).sum()) == 1 else ""
        number = float(ratios[worst])
        reason = told + (f"; so in {int((~(ratios <= 1)).sum()) - 1} more of {len(chosen)} directions" if int((~(ratios <= 1)).sum()) > 1 else "")
        return Record(
            **about, verdict="fail", reason=reason, block=block, ratio=number if math.isfinite(number) else None, limit=1.0, worst=told, detail=detail
        )
    if not bool(resolved.any()):
        return Record(**about, verdict="inconclusive", reason=f"no direction resolves {SEEN:g} of its derivative", detail=detail)
    return Record(**about, verdict="pass", ratio=float(ratios[worst]), limit=1.0, worst=told, detail=detail)


def _along(direction: Direction, gradients: Mapping[str, torch.Tensor]) -> float:
    return sum(float((gradients[n].to(t) * t).sum()) for n, t in direction.by.items() if n in gradients)


def _at(at: Callable[[Direction, float], float], chosen: Sequence[Direction], step: float, sigma: float) -> Any:
    values = torch.tensor([[at(d, step * offset) for offset in OFFSETS] for d in chosen], dtype=torch.float64)
    return extrapolated(values, step, sigma)
