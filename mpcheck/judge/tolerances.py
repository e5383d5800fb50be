"""Limits on rounding ratios: load, validate, look up. Never absolute errors: those follow as limit x u x noise scale."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from mpcheck._errors import InputError
from mpcheck._files.yaml import Strict, load_yaml
from mpcheck.formats import FORMATS

Positive = Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)]


class Universal(Strict):
    """The limits that hold for every block of every model."""

    rms: Positive
    max_base: Positive
    max_growth: Positive
    bias_floor: Positive
    bias_sigmas: Positive
    reason: str


class DriftLimits(Strict):
    """How far a ratio may move from the one stored for this device."""

    growth: Positive
    spreads: Positive
    floor: Positive
    reason: str


class Exception_(Strict):
    """A wider limit where a measurement showed that sound code needs it."""

    block: str = "*"
    backend: str = "*"
    format: list[str] = Field(min_length=1)
    direction: Literal["forward", "backward", "*"] = "*"
    rms: Positive
    max: Positive | None = None
    reason: Annotated[str, Field(min_length=20)]


class Tolerances(Strict):
    """A tolerance file."""

    schema_version: Literal[1]
    universal: Universal
    drift: DriftLimits
    exceptions: list[Exception_] = []


@dataclass(frozen=True)
class RatioLimits:
    """Limits of one cell."""

    rms: float
    max_base: float
    max_growth: float
    bias_floor: float
    bias_sigmas: float
    reason: str = ""

    def max_at(self, elements: int) -> float:
        """Limit on the largest ratio among ``n`` elements: the largest of n normal deviates grows as sqrt(2 ln n)."""
        return self.max_base + self.max_growth * math.sqrt(2 * math.log(max(2, elements)))

    def bias_at(self, sigma: float) -> float:
        """Limit on a mean error in units of rms(s), where the ensemble's own scatters by ``sigma``."""
        return self.bias_floor + self.bias_sigmas * sigma


def packaged(name: str) -> Path:
    """A file of ``tolerances/``: beside the sources in a checkout, inside the package in a wheel."""
    inside = Path(str(resources.files("mpcheck"))) / "_tolerances" / name
    return inside if inside.is_file() else Path(str(resources.files("mpcheck"))).parent / "tolerances" / name


def load_tolerances(path: Path | None = None) -> Tolerances:
    """The packaged limits, or a file of the user's.

    Raises:
        InputError: missing file, wrong schema, an unknown format in an exception.
    """
    where = path or packaged("limits.yaml")
    tolerances = load_yaml(Tolerances, where, "tolerance file")
    for index, entry in enumerate(tolerances.exceptions):
        unknown = [f for f in entry.format if f not in FORMATS]
        if unknown:
            raise InputError(f"tolerance file {where}: exceptions.{index}.format: unknown {unknown}; choose from {', '.join(FORMATS)}")
    return tolerances


def _matches(entry: Exception_, block: str, backend: str, fmt: str, direction: str) -> bool:
    return fnmatchcase(block, entry.block) and fnmatchcase(backend, entry.backend) and fmt in entry.format and entry.direction in ("*", direction)


def limits_for(tolerances: Tolerances, block: str, backend: str, fmt: str, direction: str) -> RatioLimits:
    """The limits of a cell; where several exceptions match, the last one in the file holds."""
    universal = tolerances.universal
    rms, scale, reason = universal.rms, 1.0, ""
    for entry in tolerances.exceptions:
        if _matches(entry, block, backend, fmt, direction):
            rms, reason = entry.rms, entry.reason
            scale = entry.max / universal.max_base if entry.max else max(1.0, entry.rms / universal.rms)
    return RatioLimits(
        rms, universal.max_base * scale, universal.max_growth * scale, universal.bias_floor * scale, universal.bias_sigmas * scale, reason
    )


def unused(tolerances: Tolerances, blocks: Iterable[str], backends: Sequence[str]) -> list[str]:
    """Exceptions whose patterns match no block or no backend: stale, and an error."""
    names = list(blocks)
    return [
        f"exceptions.{i} (block {e.block!r}, backend {e.backend!r})"
        for i, e in enumerate(tolerances.exceptions)
        if not any(fnmatchcase(n, e.block) for n in names) or not any(fnmatchcase(b, e.backend) for b in backends)
    ]
