"""Monte Carlo arithmetic of a step of which a part is rounded more coarsely than to float32: layers in 16 bits, or operands of products in tf32.

Two things are other than in a block's noise. Which operations are in 16 bits torch decides by types, forward, backward and in the backward of
the backward: so the layers are given another type here as well, float32 as a marker among float64, and whatever torch then computes in it is what
it would compute in 16 bits. And the perturbations have the size of the format's own roundoff, not a smaller one that is scaled up: the loss is
quadratic in what 16 bits make of energies and forces, which may be as large as the errors that it is of.

Numbers that differ by less than the format's spacing, as those of molecules in nearly equal surroundings, round alike, which draws do not know. So
the same modes can round to the format instead, and no scale is taken to be smaller than what that makes (measured on water by 24 draws: a worst
gradient's ratio of 1.1 to 1.7 of its scale by draws alone, 0.6 in float32).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import torch

from mpcheck.formats import Format
from mpcheck.judge.emulate import round_significand
from mpcheck.policy.running.autocast import Emulation
from mpcheck.reference.dispatch import DispatchMode
from mpcheck.reference.hashing import OPERAND_DIGITS, hashed
from mpcheck.reference.noise import largest, passes, seed_of
from mpcheck.reference.operations import exact_scaling, operation_of

MARKER = torch.float32
"""Stands for 16 bits among float64: its own roundoff is a thousandth of theirs."""
UNIT = 2.0**-63


class MarkedNoise(DispatchMode):
    """Perturbs whatever is computed in, or cast to, the marker's type.

    Attributes:
        peaks: largest magnitude in that type, ``forward`` and ``backward``; the caller says which is under way by :attr:`phase`.
    """

    def __init__(self, seed: int | None, fmt: Format, apart: bool = False, looking: bool = False) -> None:
        """Args:
        seed: None to round to the format, once each, in place of the noise. fmt: of 16 bits. apart: equal numbers err independently.
        looking: at magnitudes alone, nothing is changed.
        """
        super().__init__()
        self.seed, self.dtype, self.apart, self.looking = seed, fmt.storage, apart, looking
        self.u, self.smallest = fmt.u, fmt.u * fmt.smallest_normal  # half of the smallest subnormal number: the error of what underflows
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
        if self.looking:
            return value
        if self.seed is None:
            return value.to(self.dtype).to(MARKER)
        wide = value.to(torch.float64)
        noise = hashed(wide, self.seed, self.apart).mul_(self.u * UNIT).mul_(wide)
        absolute = hashed(wide, seed_of(self.seed, "absolute"), self.apart).mul_(self.smallest * UNIT)
        return wide.add_(noise).add_(absolute).to(MARKER)


class AutocastNoise(Emulation):
    """What autocast rounds, perturbed where the emulation rounds it: operands and results of products, and what is computed from these alone."""

    def __init__(self, seed: int | None, fmt: Format, apart: bool = False, looking: bool = False) -> None:
        """Args: see :class:`MarkedNoise`."""
        super().__init__(fmt.storage, carrier=torch.float64)
        self.noise = MarkedNoise(seed, fmt, apart, looking)

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


class OperandNoise(DispatchMode):
    """What tf32 rounds: operands of matrix products; of a backend that computes by other products, whatever may be an operand of one.

    Attributes:
        peaks: none: the range is float32's.
    """

    peaks: Mapping[str, float] = MappingProxyType({})
    phase = ""

    def __init__(self, seed: int | None, fmt: Format, apart: bool = False, results: bool = False) -> None:
        """Args:
        seed: None to round operands in place of the noise. fmt: that has ``operand_bits``. results: every result takes the noise as well.
        """
        super().__init__()
        self.seed, self.bits, self.apart, self.results = seed, fmt.operand_bits or 24, apart, results

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        operation = operation_of(func)
        if operation.product:
            args = tuple(self._noisy(a) for a in args)
        result = func(*args, **(kwargs or {}))
        if not self.results or not operation.rounds or not isinstance(result, torch.Tensor) or exact_scaling(operation.name, args):
            return result
        noisy = self._noisy(result)
        return result.copy_(noisy) if operation.in_place else noisy

    def _noisy(self, value: Any) -> Any:
        if not isinstance(value, torch.Tensor) or passes(value):
            return value
        if self.seed is None:
            return round_significand(value.to(torch.float32), self.bits).to(torch.float64)
        return torch.addcmul(value, value, hashed(value, self.seed, self.apart, OPERAND_DIGITS), value=2.0**-self.bits * UNIT)
