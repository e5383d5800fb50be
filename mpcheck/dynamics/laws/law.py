"""A law of physics, looked at in runs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

State = Literal["holds", "broken", "cannot tell"]
CHANCE = 1e-4
"""Probability below which a deviation is no accident: of a hundred sound sessions of ten laws each, one in ten has one such by chance."""


@dataclass(frozen=True)
class Law:
    """What was found.

    Attributes:
        name, unit, measured, expected: of the figure. error: standard error of the measured, NaN where there is none.
        p_value: of so large a deviation by chance; NaN where the law is none of chance. reason: what is wrong, or why nothing can be told.
    """

    name: str
    state: State
    unit: str = ""
    measured: float = math.nan
    expected: float = math.nan
    error: float = math.nan
    p_value: float = math.nan
    reason: str = ""

    @property
    def sigmas(self) -> float:
        """Between measured and expected; NaN without an error."""
        return abs(self.measured - self.expected) / self.error if self.error > 0 else math.nan
