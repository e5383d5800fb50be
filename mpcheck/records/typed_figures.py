"""Figures of one kind of measurement: every name has a type."""

from __future__ import annotations

import math
from typing import Any

from mpcheck._files.yaml import Strict


def finite(value: float | None) -> float | None:
    """A number that JSON holds, to its last digit; None of what is none."""
    return value if value is not None and math.isfinite(value) else None


class TypedFigures(Strict):
    """What figures of every kind have."""

    @property
    def figures(self) -> dict[str, Any]:
        """Figures by name, those that there are."""
        return {name: value for name, value in self if value is not None and name != "kind"}
