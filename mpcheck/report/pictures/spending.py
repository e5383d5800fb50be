"""Where a policy's error comes from: what each block adds to it, predicted and measured, beside what is tolerated."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from mpcheck._text import counted
from mpcheck.report.pictures import theme
from mpcheck.report.pictures.base import Picture
from mpcheck.report.pictures.canvas import LINE, SMALL, TINY, WIDTH, Canvas, Look, decades
from mpcheck.report.pictures.goals import GOAL, GOALS, Quantity, entry
from mpcheck.report.pictures.words import slug

UNITS = {"force": "meV/Å", "energy": "meV/atom"}
MOST_ROWS = 16
ROW, ROOM, FIGURES = 21.0, 150.0, 74.0
DECADES = 4.0
"""That are shown below the largest: what is smaller spends less than 10⁻⁸ of the square."""
TOTAL = "the whole model"


@dataclass(frozen=True)
class Spent:
    """What one block adds to a model's error, in the picture's unit.

    Attributes:
        block: its name or family. format: it runs in. predicted, measured: None where it was not.
    """

    block: str
    format: str
    predicted: float | None
    measured: float | None = None


def spending_picture(rows: Sequence[Spent], total: Spent, quantity: Quantity, policy: str, name: str = "") -> Picture | None:
    """Bars, the largest first and the whole on top; None of no rows.

    Args:
        rows: blocks; their squares add up to the whole's. total: of the whole model.
    """
    known = [r for r in rows if _largest(r) > 0]
    if not known:
        return None
    ordered = sorted(known, key=lambda r: -_largest(r))
    shown, rest = ordered[:MOST_ROWS], ordered[MOST_ROWS:]
    lines = [total, *shown, *([_together(rest)] if rest else [])]
    logs = [math.log10(v) for r in lines for v in (r.predicted, r.measured) if v and math.isfinite(v)]
    high = max([*logs, math.log10(GOALS[quantity][0])], default=0.0) + 0.15
    low = max(min(logs, default=high - 1) - 0.2, high - DECADES)
    top = LINE + 16
    canvas = Canvas(top + ROW * len(lines) + 34)
    bar: Look = {"marker": "s", "linestyle": "none", "markersize": 6}
    signs = [("predicted", bar | {"color": theme.SERIES[0]}), ("measured", bar | {"color": theme.SERIES[1], "marker": "D"})]
    canvas.legend(0, LINE / 2, [*signs, entry(quantity)])
    canvas.write(WIDTH, top - 9, "of the square", TINY, color=theme.MUTED, ha="right")
    axes = canvas.axes(ROOM, top, WIDTH - ROOM - FIGURES, ROW * len(lines), grid="x")
    whole = _largest(total) if total.predicted is None else total.predicted
    for place, row in enumerate(lines):
        _row(canvas, axes, place, row, top, low, whole)
    axes.axvline(math.log10(GOALS[quantity][0]), **GOAL)
    axes.set_xlim(low, high)
    axes.set_ylim(len(lines) - 0.5, -0.5)
    axes.set_yticks([])
    decades(axes, "x", low, high, 4)
    canvas.write(ROOM + (WIDTH - ROOM - FIGURES) / 2, canvas.height - 8, f"RMS error, {UNITS[quantity]}", SMALL, color=theme.MUTED, ha="center")
    caption = (
        f"What each block of policy {policy} adds to the error of the {'forces' if quantity == 'force' else 'energy'}; squares add up. Bars are "
        f"predicted, diamonds measured with that block alone in its format. The dashed line is at {GOALS[quantity][1]}."
        + (f" {counted(len(rest), 'further block')} are summed up in the last row." if rest else "")
    )
    title = f"Error budget of {policy}, {'forces' if quantity == 'force' else 'energy'}"
    return canvas.picture(name or slug("budget", policy, quantity), "errors", title, caption, _alt(shown, total, quantity))


def _largest(row: Spent) -> float:
    return max((v for v in (row.predicted, row.measured) if v is not None and not math.isnan(v)), default=0.0)


def _together(rows: Sequence[Spent]) -> Spent:
    """The rest, in quadrature; measured where all of it was."""
    predicted = [r.predicted for r in rows if r.predicted is not None]
    measured = [r.measured for r in rows if r.measured is not None]
    return Spent(
        f"{len(rows)} others", "", math.hypot(*predicted) if predicted else None, math.hypot(*measured) if len(measured) == len(rows) else None
    )


def _row(canvas: Canvas, axes: Axes, place: int, row: Spent, top: float, low: float, whole: float) -> None:
    middle = top + ROW * (place + 0.5)
    bold = "bold" if place == 0 else "normal"
    canvas.write(0, middle - 4 if row.format else middle, row.block, SMALL, ROOM - 8, fontweight=bold)
    if row.format:
        canvas.write(0, middle + 5, row.format, TINY - 1, ROOM - 8, color=theme.MUTED)
    if row.predicted is not None and row.predicted > 0:
        end = math.log10(row.predicted) if math.isfinite(row.predicted) else axes.get_xlim()[1]
        colour = theme.SERIES[0]
        axes.add_patch(Rectangle((low, place - 0.26), max(0.0, end - low), 0.52, color=colour, linewidth=0, alpha=1.0 if place == 0 else 0.75))
    if row.measured is not None and 0 < row.measured < math.inf:
        x = max(low, math.log10(row.measured))
        axes.plot([x], [place], color=theme.SERIES[1], marker="D", markersize=5, markeredgecolor=theme.PAPER, markeredgewidth=0.7, zorder=3)
    figure = row.predicted if row.predicted is not None else row.measured
    share = (figure / whole) ** 2 if figure is not None and whole > 0 and math.isfinite(whole) else math.nan
    if place > 0 and not math.isnan(share):
        canvas.write(WIDTH, middle, f"{100 * share:.0f} %" if share > 0.005 else "< 1 %", SMALL, color=theme.MUTED, ha="right")
    if figure is not None:
        canvas.write(WIDTH - 40, middle, f"{figure:.2g}", SMALL, fontweight=bold, ha="right")


def _alt(shown: Sequence[Spent], total: Spent, quantity: Quantity) -> str:
    def of(row: Spent) -> str:
        parts = [f"{v:.2g} {words}" for v, words in ((row.predicted, "predicted"), (row.measured, "measured")) if v is not None]
        return f"{row.block}: {' and '.join(parts)}"

    return f"{UNITS[quantity]}, largest first. {of(total)}; " + "; ".join(of(r) for r in shown[:8]) + "."
