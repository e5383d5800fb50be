"""What people tolerate of a whole model's error, or train it on: the dashed line of its pictures, named in their legends."""

from __future__ import annotations

from typing import Literal

from mpcheck.report.pictures import theme
from mpcheck.report.pictures.canvas import Look

Quantity = Literal["force", "energy"]

GOALS: dict[Quantity, tuple[float, str]] = {"force": (10.0, "10 meV/Å"), "energy": (1.0, "1 meV/atom, the noise of DFT labels")}
GOAL: Look = {"color": theme.WARN, "linewidth": 1.1, "linestyle": (0, (4, 2))}


def entry(quantity: Quantity) -> tuple[str, Look]:
    """The line's entry in a legend."""
    return GOALS[quantity][1], {**GOAL, "marker": ""}
