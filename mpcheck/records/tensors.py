"""Tensors of a record: what precision and golden values were judged by."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

from pydantic import Field

from mpcheck._files.yaml import Strict

Number = float | None
"""A finite number; None stands for one that is not (JSON has no NaN)."""
Drift = Literal["pass", "fail", "no-baseline", "off", "inputs-moved"]


class Worst(Strict):
    """The element with the largest error in units of what is allowed."""

    place: str
    value: Number
    expected: Number
    allowed: Number


class Group(Strict):
    """Metrics of one irrep or one weight path."""

    name: str
    rms: Number
    limit: Number


class Quantity(Strict):
    """One tensor: an output, a gradient, or a golden value, which has no more than ``rms`` and ``max``. Ratios are in units of the format's
    noise scale.
    """

    name: str
    shape: list[int] = []
    max_abs: Number = None
    max_rel: Number = None
    stabiliser: Number = None
    rms: Number
    rms_limit: Number
    max: Number
    max_limit: Number = None
    bias: Number = None
    signed_bias: Number = None
    bias_limit: Number = None
    signed_bias_limit: Number = None
    nonfinite: int = Field(default=0, ge=0)
    out_of_range: int = Field(default=0, ge=0)
    allowed_abs: Number = None
    allowed_rel: Number = None
    arithmetic: Number = None
    arithmetic_limit: Number = None
    arithmetic_bias: Number = None
    arithmetic_bias_limit: Number = None
    groups: list[Group] = []
    worst: Worst | None = None
    failures: list[str] = []
    digest: str = ""

    @property
    def figures(self) -> list[tuple[Number, Number]]:
        """Every ratio that it is judged by and what is allowed of it, its RMS first; None where a ratio is not finite."""
        judged = [(self.max, self.max_limit), (self.bias, self.bias_limit), (self.signed_bias, self.signed_bias_limit)]
        judged += [(self.arithmetic, self.arithmetic_limit), (self.arithmetic_bias, self.arithmetic_bias_limit)]
        parts = [(g.rms, g.limit) for g in self.groups]
        return [(self.rms, self.rms_limit), *parts, *((v if v is None else abs(v), limit) for v, limit in judged if limit is not None)]

    @property
    def decisive(self) -> tuple[Number, Number]:
        """Which of its figures is the largest share of what is allowed, and what is."""
        return max(self.figures, key=lambda f: share(*f))

    @property
    def share(self) -> float:
        """Error over allowed error: 1 is what is allowed, infinite where a figure is not finite."""
        return share(*self.decisive)


class Tensors(Strict):
    """What was compared with a reference, tensor by tensor.

    Attributes:
        role: of the block in the model; block: a leaf, a step between submodules, or a composite of blocks; both empty of golden values.
        accumulation: of the format; drift: against ratios that are stored for the device.
    """

    kind: Literal["tensors"] = "tensors"
    role: str = ""
    block: Literal["leaf", "step", "composite", ""] = ""
    accumulation: str = ""
    drift: Drift = "off"
    quantities: list[Quantity] = []

    @property
    def figures(self) -> dict[str, Any]:
        """None besides the tensors."""
        return {}


def finite(value: float) -> Number:
    """A number for JSON: None where it is infinite or NaN, seven digits otherwise."""
    number = float(value)
    return None if number != number or number in (float("inf"), float("-inf")) else float(f"{number:.7g}")


def share(ratio: Number, limit: Number, failed: bool = True) -> float:
    """Error over allowed error, 1 is what is allowed: a ratio in units of its limit, or of its scale where it has none; infinite where what
    failed has no finite ratio, else 0.
    """
    if ratio is None:
        return math.inf if failed else 0.0
    return ratio / limit if limit else ratio


def decisive(quantities: Sequence[Quantity]) -> Quantity | None:
    """The tensor that a reader must see first: one that fails, then the one with the largest share of its limit."""
    return max(quantities, key=lambda q: (bool(q.failures), q.share), default=None)


def summary(quantities: Sequence[Quantity]) -> dict[str, Any]:
    """Fields of a record that tell of its decisive tensor: ``ratio`` and ``limit`` of its decisive figure and, in words, ``worst``."""
    told = decisive(quantities)
    if told is None:
        return {}
    w, worst = told.worst, ""
    if w is not None:
        worst = f"{told.name} at {w.place}: {number(w.value)} instead of {number(w.expected)}, allowed error {number(w.allowed)}"
    ratio, limit = told.decisive
    return {"ratio": ratio, "limit": limit, "worst": worst}


def number(value: float | None) -> str:
    """Four digits; ``not finite`` where records have no number."""
    return "not finite" if value is None else f"{value:.4g}"
