"""What rounding does to the values of a computation: Monte Carlo draws of it, compared with the undisturbed values."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

import torch

from mpcheck.adapters.backends.casting import replaced
from mpcheck.formats import Component
from mpcheck.reference.noise import ETA, NoiseMode, perturb, perturb_absolute
from mpcheck.reference.whole_noise import ROUNDOFF, WholeNoise

Tensors = Mapping[str, torch.Tensor]
Draw = Callable[[int], Tensors]
"""The values of a computation that a seed disturbs."""
Kept = TypeVar("Kept")


def disturbed(
    values: Callable[[], Tensors], component: Component | None = None, stored: torch.nn.Module | None = None, apart: bool | None = None
) -> Draw:
    """Draws of a computation whose operations round.

    Args:
        component: of the noise; None for all that rounds, as it does in one format for all.
        stored: module whose parameters and buffers are perturbed as well.
        apart: equal numbers err independently, not alike; None for every other draw, of what is judged in float64 as well, where either
            may be: the forces of a crystal, which symmetry makes zero, cancel to the last digit only if equal numbers err alike.
    """
    perturbed = perturb_absolute if component == "underflow" else perturb

    turns = itertools.cycle((False, True) if apart is None else (apart,))

    def draw(seed: int) -> Tensors:
        own = next(turns)
        mode = WholeNoise(seed, own) if component is None else NoiseMode(component, seed, own)
        with replaced(stored, lambda t: perturbed(t, seed, own)), mode:
            return values()

    return draw


def deviations(draw: Draw, undisturbed: Tensors, seeds: Sequence[int], eta: float = ETA) -> Iterator[tuple[str, torch.Tensor]]:
    """Draw by draw, how far each value lies from its undisturbed one, for u = 1 and of the value's shape; values that a draw lacks are left out.

    Args:
        eta: size of the perturbations, see :func:`mpcheck.reference.noise.eta_of`.
    """
    for seed in seeds:
        drawn = draw(seed)
        for name, value in undisturbed.items():
            if name in drawn:
                yield name, drawn[name].sub(value).div_(eta)


def squares(draw: Draw, undisturbed: Tensors, seeds: Sequence[int], square: Callable[[torch.Tensor], Kept]) -> dict[str, list[Kept]]:
    """``square`` of every deviation for u = 1: of each value, a list of the draws'."""
    by_name: dict[str, list[Kept]] = {name: [] for name in undisturbed}
    for name, own in deviations(draw, undisturbed, seeds):
        by_name[name].append(square(own))
    return by_name


def deviation(draw: Draw, undisturbed: Tensors, seeds: Sequence[int]) -> dict[str, torch.Tensor]:
    """RMS deviation of every value, element by element, at float64's roundoff."""
    total = {n: torch.zeros_like(v) for n, v in undisturbed.items()}
    for name, own in deviations(draw, undisturbed, seeds):
        total[name] += own.square()
    return {n: ROUNDOFF * (t / len(seeds)).sqrt() for n, t in total.items()}
