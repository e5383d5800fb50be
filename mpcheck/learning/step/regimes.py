"""Ways to take a step: a number format of everything, or float32 with what is trained in 16 bits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

from mpcheck.formats import BFLOAT16, FLOAT16, FLOAT32, FLOAT64, TF32, Format, get_format
from mpcheck.learning.step.names import AMP, MASTERS, PLAIN, STORED


@dataclass(frozen=True)
class Regime:
    """One way to take a step.

    Attributes:
        kind: ``plain``: all of the step in the format · ``amp``: float32, the forward pass under torch.autocast to the format · ``masters``: linear
            layers compute in the format, their parameters are float32 and cast in every call · ``stored``: these parameters and their optimiser's
            state are kept in the format as well.
        format: of everything, or of what is lowered.
    """

    kind: Literal["plain", "amp", "masters", "stored"]
    format: Format

    @property
    def base(self) -> Format:
        """Format of what is not lowered."""
        return self.format if self.kind == PLAIN else FLOAT32

    @property
    def lowers(self) -> bool:
        """Whether some layers are in 16 bits."""
        return self.kind != PLAIN

    @property
    def coarse(self) -> bool:
        """Whether anything rounds more coarsely than the base's type: a layer, or the operands of products."""
        return self.lowers or self.format.operand_bits is not None

    @property
    def scaled(self) -> bool:
        """Whether the loss is scaled: where gradients would underflow."""
        return self.format is FLOAT16

    @property
    def wide(self) -> torch.dtype:
        """Type of tensors that are not lowered."""
        return self.base.storage

    @property
    def name(self) -> str:
        """``masters-bfloat16``."""
        return f"{self.kind}-{self.format.name}"


EVERY: tuple[Regime, ...] = (
    *(Regime(PLAIN, f) for f in (FLOAT64, FLOAT32, TF32)),
    *(Regime(kind, f) for kind in (AMP, MASTERS, STORED) for f in (BFLOAT16, FLOAT16)),
)
"""All there are. A step wholly in 16 bits is none: energies of isolated atoms, thousands of eV, do not fit, and nobody trains so."""


def regimes(kinds: tuple[str, ...], formats: tuple[str, ...]) -> list[Regime]:
    """Those of some kinds and formats; none named, all."""
    return [r for r in EVERY if (not kinds or r.kind in kinds) and (not formats or r.format.name in formats)]


def regime_of(kind: str, fmt: str) -> Regime:
    """The one by its names."""
    return next(r for r in EVERY if r.kind == kind and r.format is get_format(fmt))
