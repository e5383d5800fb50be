"""Rules by which this field's test suites accept a tensor, as functions of the same data: what a format gave, float64, a plain result.

Every rule gets the benefit of a replay block by block, with every input and parameter gradient, and of a float64 reference: the
suites that it comes from mostly run whole models of one element, or kernels on random numbers, against another implementation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import torch

from mpcheck.formats import FORMATS, get_format
from mpcheck.records.tensors import Quantity

Outcome = Literal["seen", "missed", "not tested", "always red"]
"""always red: it objects to the sound cell as well, so that its objection says nothing of the fault."""
GRADIENTS = ("grad.", "weight.")
EVERY = frozenset(FORMATS)


@dataclass(frozen=True)
class Observed:
    """One quantity of a replayed cell.

    Attributes:
        name: ``out…``, ``grad.CASE.INPUT`` or ``weight.CASE.PARAMETER``.
        low: as the backend computed it in the format; value: the float64 reference; plain: as e3nn computed it in the format.
        quantity: mpcheck's own metrics and verdict.
    """

    name: str
    low: torch.Tensor
    value: torch.Tensor
    plain: torch.Tensor
    quantity: Quantity
    backend: str
    format: str

    @property
    def gradient(self) -> bool:
        """Of an input or of a parameter."""
        return self.name.startswith(GRADIENTS)


class Decider(Protocol):
    """A rule.

    Attributes:
        name: of the project; source: where its numbers stand. formats: that it is applied to.
    """

    @property
    def name(self) -> str: ...

    @property
    def source(self) -> str: ...

    @property
    def formats(self) -> frozenset[str]: ...

    def covers(self, one: Observed) -> bool:
        """Whether the project's tests look at such a quantity at all."""

    def objects(self, one: Observed) -> bool:
        """Whether it calls the quantity wrong."""


def decide(decider: Decider, quantities: Sequence[Observed]) -> Outcome:
    """What a rule says of one replayed cell: seen as soon as it objects to one quantity."""
    judged = [q for q in quantities if q.format in decider.formats and decider.covers(q)]
    if not judged:
        return "not tested"
    return "seen" if any(decider.objects(q) for q in judged) else "missed"


def finite_or_equal(low: torch.Tensor, value: torch.Tensor) -> bool:
    """Whether no element is NaN or infinite where float64 is neither."""
    return not bool((~torch.isfinite(low) & torch.isfinite(value)).any())


@dataclass(frozen=True)
class Fixed:
    """Numbers chosen by hand: ``|low - value| <= atol + rtol |value|``.

    Attributes:
        atol, rtol: by format. gradients: those of gradients where they differ; None where gradients are not tested.
        accelerated: absolute tolerance of backends other than e3nn by format, where it differs.
        nan_passes: a harness that asks ``error > tolerance``, which NaN is not.
    """

    name: str
    source: str
    atol: Mapping[str, float]
    rtol: Mapping[str, float] = field(default_factory=dict)
    gradients: Mapping[str, float] | None = field(default_factory=dict)
    accelerated: Mapping[str, float] = field(default_factory=dict)
    nan_passes: bool = False

    @property
    def formats(self) -> frozenset[str]:
        """Those that it has a number for."""
        return frozenset(self.atol)

    def covers(self, one: Observed) -> bool:
        """Gradients only where they are tested."""
        return self.gradients is not None or not one.gradient

    def allowed(self, one: Observed) -> float:
        """The absolute part of the tolerance."""
        chosen = self.atol[one.format]
        if one.backend != "e3nn":
            chosen = self.accelerated.get(one.format, chosen)
        return (self.gradients or {}).get(one.format, chosen) if one.gradient else chosen

    def objects(self, one: Observed) -> bool:
        """Any element beyond the tolerance, or of another shape."""
        if one.low.shape != one.value.shape:
            return True
        low = one.low.to(one.value.dtype)
        excess = (low - one.value).abs() - self.rtol.get(one.format, 0.0) * one.value.abs()
        if not self.nan_passes and not finite_or_equal(low, one.value):
            return True
        return bool((excess > self.allowed(one)).any())


@dataclass(frozen=True)
class TwiceThePlainError:
    """``max |low - value| <= 2 max |plain - value| + floor``: needs the plain implementation to be right, sees nothing below two.

    Attributes:
        floor: absolute; None for the one of its later tests, twice what adding 0.3 and taking it away again costs in the format.
    """

    name: str
    source: str
    floor: float | None
    formats: frozenset[str] = frozenset({"float16", "bfloat16"})

    def covers(self, one: Observed) -> bool:
        """Results and first derivatives."""
        return True

    def objects(self, one: Observed) -> bool:
        """NaN is no error at most twice another."""
        if one.low.shape != one.value.shape:
            return True
        wide = one.value.dtype
        error, plain = (one.low.to(wide) - one.value).abs().max(), (one.plain.to(wide) - one.value).abs().max()
        return not float(error) <= 2 * float(plain) + self._floor(one)

    def _floor(self, one: Observed) -> float:
        if self.floor is not None:
            return self.floor
        stored = one.value.to(get_format(one.format).storage)
        return 2 * float((stored + 0.3 - 0.3 - stored).abs().max())


@dataclass(frozen=True)
class Computed:
    """mpcheck: limits on rounding ratios, in units of the computed noise scale."""

    name: str = "mpcheck, precision check"
    source: str = "tolerances/limits.yaml"
    formats: frozenset[str] = EVERY

    def covers(self, one: Observed) -> bool:
        """Everything."""
        return True

    def objects(self, one: Observed) -> bool:
        """As the precision session says."""
        return bool(one.quantity.failures)
