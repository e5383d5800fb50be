"""Monte Carlo arithmetic of a step some of whose layers compute in 16 bits.

Two things are other than in a block's noise. Which operations are in 16 bits torch decides by types, forward, backward and in the backward of
the backward: so the layers are given another type here as well, float32 as a marker among float64, and whatever torch then computes in it is what
it would compute in 16 bits. And the perturbations have the size of the format's own roundoff, not a smaller one that is scaled up: the loss is
quadratic in what 16 bits make of energies and forces, which may be as large as the errors that it is of.
"""

from __future__ import annotations

from typing import Any

import torch

from mpcheck.policy.running.autocast import Emulation
from mpcheck.reference.dispatch import DispatchMode
from mpcheck.reference.hashing import hashed
from mpcheck.reference.noise import largest, seed_of
from mpcheck.reference.operations import exact_scaling, operation_of

MARKER = torch.float32
"""Stands for 16 bits among float64: its own roundoff is a thousandth of theirs."""
UNIT = 2.0**-63


class MarkedNoise(DispatchMode):
    """Perturbs whatever is computed in, or cast to, the marker's type.

    Attributes:
        peaks: largest magnitude in that type, ``forward`` and ``backward``; the caller says which is under way by :attr:`phase`.
    """

    def __init__(self, seed: int | None, u: float, smallest: float, apart: bool = False) -> None:
        """Args:
        seed: None to look at magnitudes alone. u: unit roundoff. smallest: half of the smallest subnormal number, the error of what underflows.
        apart: equal numbers err independently.
        """
        super().__init__()
        self.seed, self.u, self.smallest, self.apart = seed, u, smallest, apart
        self.phase = "forward"
        self.peaks = {"forward": 0.0, "backward": 0.0}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        operation = operation_of(func)
        cast = operation.name == "_to_copy" and isinstance(args[0], torch.Tensor) and args[0].dtype == torch.float64
        if not (operation.rounds or cast) or exact_scaling(operation.name, args):
            return result
        if isinstance(result, (tuple, list)):
            return type(result)(map(self._noisy, result))
        if operation.in_place and isinstance(result, torch.Tensor) and result.dtype == MARKER:
            return result.copy_(self._noisy(result))
        return self._noisy(result)

    def _noisy(self, value: Any) -> Any:
        if not isinstance(value, torch.Tensor) or value.dtype != MARKER or not value.numel() or value._is_zerotensor():
            return value
        self.peaks[self.phase] = max(self.peaks[self.phase], largest(value))
        if self.seed is None:
            return value
        wide = value.to(torch.float64)
        noise = hashed(wide, self.seed, self.apart).mul_(self.u * UNIT).mul_(wide)
        absolute = hashed(wide, seed_of(self.seed, "absolute"), self.apart).mul_(self.smallest * UNIT)
        return wide.add_(noise).add_(absolute).to(MARKER)


class AutocastNoise(Emulation):
    """What autocast rounds, perturbed where the emulation rounds it: operands and results of products, and what is computed from these alone."""

    def __init__(self, seed: int | None, u: float, smallest: float, apart: bool = False) -> None:
        """Args: see :class:`MarkedNoise`."""
        super().__init__(torch.bfloat16, carrier=torch.float64)
        self.noise = MarkedNoise(seed, u, smallest, apart)

    @property
    def phase(self) -> str:
        """See :class:`MarkedNoise`."""
        return self.noise.phase

    @phase.setter
    def phase(self, phase: str) -> None:
        self.noise.phase = phase

    @property
    def peaks(self) -> dict[str, float]:
        """See :class:`MarkedNoise`."""
        return self.noise.peaks

    def _rounded(self, value: Any) -> Any:
        if isinstance(value, torch.Tensor) and value.dtype == self.carrier and not getattr(value, "_mpcheck_narrow", False):
            return self._perturbed(value)
        return value

    def _narrow(self, result: Any) -> Any:
        if isinstance(result, torch.Tensor) and result.dtype == self.carrier:
            result.copy_(self._perturbed(result))
            result._mpcheck_narrow = True  # type: ignore[attr-defined]  # as the emulation marks it
        return result

    def _perturbed(self, value: torch.Tensor) -> torch.Tensor:
        if not value.numel() or value._is_zerotensor():
            return value
        noisy = self.noise._noisy(value.to(MARKER))
        return noisy.to(torch.float64) if isinstance(noisy, torch.Tensor) else value
