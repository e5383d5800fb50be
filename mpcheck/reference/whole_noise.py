"""The noise of a whole model: every operation of one evaluation rounds, as it does in one format for all.

Same Monte Carlo arithmetic as the blocks' (:mod:`mpcheck.reference.noise`), but all components in one draw, because float64
has one roundoff. Parameters and inputs are exact here: what is asked is what the arithmetic alone can do to a property.
"""

from __future__ import annotations

from typing import Any

from mpcheck.reference.noise import ETA, NoiseMode
from mpcheck.reference.operations import exact_scaling, operation_of
from mpcheck.reference.sums import sum_noise

ROUNDOFF = 2.0**-53  # of float64


class WholeNoise(NoiseMode):
    """Perturbs every partial sum and every result that rounds, forward and backward."""

    def __init__(self, seed: int, apart: bool = False) -> None:
        super().__init__("operation", seed, apart)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        operation = operation_of(func)
        if not operation.rounds:
            return result
        if operation.sums is not None:
            result = sum_noise(func, operation.name, args, kwargs, result, self.seed, ETA, self.apart)
        return result if exact_scaling(operation.name, args) else self._added(operation, result)
