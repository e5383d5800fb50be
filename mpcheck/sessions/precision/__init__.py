"""The precision session: every block at every format and backend against limits computed from the unit roundoff."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from mpcheck._files.kinds import SVG
from mpcheck._names import CAPTURED, EVERY_ROW, GOLDEN, PRECISION, SMALL_TWIN, WHOLE
from mpcheck.sessions.contract import SessionSpec
from mpcheck.sessions.options import BASELINES, Options


@dataclass(frozen=True)
class PrecisionOptions(Options):
    """What the precision session takes.

    Attributes:
        baselines: directory of stored ratios and golden values; None for ``./baselines``.
    """

    takes_variants: ClassVar[bool] = True

    baselines: Annotated[Path | None, BASELINES] = None

    @property
    def directory(self) -> Path:
        """Of baselines."""
        return self.baselines or Path("baselines")


SESSION = SessionSpec(
    name="precision",
    command="run",
    title="Judge every block of a model at every format and backend against computed tolerances.",
    gated=True,
    order=10,
    options=PrecisionOptions,
    work="mpcheck.sessions.precision.work:PrecisionWork",
    folder="blocks",
    checks=(PRECISION, GOLDEN, SMALL_TWIN, EVERY_ROW, WHOLE, CAPTURED),
    block_checks=(PRECISION, EVERY_ROW),
    columns=("block", "role", "backend"),
    compared="ratios",
    shown="mpcheck.report.cells:SHOWING",
    extra=(("precision.svg", SVG),),
)
