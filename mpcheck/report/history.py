"""The picture of a device's history: latencies or rounding ratios over commits, one panel a series, lasting changes marked."""

from __future__ import annotations

import io
import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mpcheck._errors import InputError
from mpcheck._files.io import atomic_path
from mpcheck._files.kinds import PDF, PNG, SVG
from mpcheck._files.outputs import Output, refuse_outputs
from mpcheck._text import shortened
from mpcheck.history.latency.series import MILLISECONDS, SHARE, ChangePoint, Series, change_points
from mpcheck.report.pictures.canvas import settings
from mpcheck.report.pictures.theme import light

TICKS = 12  # commits named on an axis, at most
MOST = 24  # panels that a picture can hold
ROWS, ROW = 4, 0.08  # of words in a panel, and the share of its height that one takes
NAMED = 8  # changes of a panel that have words, at most
NAME, CELL = 40, 100  # characters
FORMATS = ("svg", "png", "pdf")
THINGS = {"latency": "benchmarks", "ratio": "rounding ratios"}


def unit_words(unit: str) -> str:
    """What the values of a series are, for an axis or a table."""
    if unit == SHARE:
        return "error ÷ allowed"
    return "ms a call" if unit == MILLISECONDS else "times the yardsticks' mean" if unit == "all" else f"times the yardstick {unit}"


def effect_words(change: ChangePoint) -> str:
    """``+5.1 % [+4.0, +6.2]``."""
    return f"{100 * change.effect:+.1f} % [{100 * change.low:+.1f}, {100 * change.high:+.1f}]"


def _name(axes: Axes, values: npt.NDArray[np.float64], changes: Sequence[ChangePoint]) -> None:
    """Mark every change, and name the largest, in rows above the highest point."""
    rows = min(len(changes), ROWS)
    low, high = float(values.min()), float(values.max())
    below = 0.08 * max(high - low, 0.05 * high)
    share = 0.04 + ROW * rows  # of the height, for the words
    axes.set_ylim(low - below, low - below + (high - low + 2 * below) / (1 - share))
    named = sorted(changes, key=lambda c: -abs(c.effect))[:NAMED]
    for i, change in enumerate(changes):
        axes.axvline(change.index - 0.5, color=light("series-1"), linewidth=1.2, linestyle=":", label="lasting change" if i == 0 else None)
        if change not in named:
            continue
        right = change.index > 0.6 * len(values)
        axes.annotate(
            f"{effect_words(change)} at {shortened(change.commit, NAME)}", (change.index - 0.5, 0.99 - ROW * (i % ROWS)),
            xycoords=("data", "axes fraction"),
            xytext=(-4 if right else 4, 0), textcoords="offset points", ha="right" if right else "left", va="top", fontsize=6.5,
            bbox={"facecolor": light("paper"), "edgecolor": "none", "pad": 0.6},
        )  # fmt: skip


def _panel(axes: Axes, series: Series, last: bool) -> None:
    values = np.asarray(series.values)
    places = np.arange(len(values))
    changes = change_points(series)
    axes.plot(places, values, color=light("series-0"), marker="o", markersize=3.5, linewidth=0.8, label="measured")
    bounds = [0, *(c.index for c in changes), len(values)]
    for i, (a, b) in enumerate(itertools.pairwise(bounds)):
        label = "level (median)" if i == 0 else None
        axes.plot([a - 0.4, b - 0.6], [float(np.median(values[a:b]))] * 2, color=light("ink"), linewidth=1.6, linestyle="--", label=label)
    _name(axes, values, changes)
    step = -(-len(values) // TICKS)
    axes.set_xticks(places[::step], [shortened(p.commit[:8], NAME) for p in series.points[::step]], rotation=45, ha="right", fontsize=6.5)
    axes.set_xlim(-0.7, len(values) - 0.3)
    axes.set_ylabel(unit_words(series.unit), fontsize=7)
    axes.tick_params(axis="y", labelsize=7)
    axes.set_title(shortened(series.cell, CELL), fontsize=8, loc="left")
    axes.grid(axis="y", linewidth=0.3, alpha=0.5)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    if last:
        axes.set_xlabel("commit, oldest first", fontsize=7)


def draw(every: Sequence[Series], device: str) -> Figure:
    """One panel a series, one point an entry, in the order of dates; levels between lasting changes as dashed lines.

    Raises:
        InputError: more series than a picture can hold, or none.
    """
    if not every:
        raise InputError("nothing to draw: nothing was chosen")
    if len(every) > MOST:
        raise InputError(f"{len(every)} series match, a picture holds {MOST}; give a narrower pattern")
    figure = Figure(figsize=(8.4, 0.5 + 2.3 * len(every)), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(len(every), 1, squeeze=False)[:, 0]
    for axes, series in zip(panels, every, strict=True):
        _panel(axes, series, axes is panels[-1])
    what = "error ÷ allowed error of each block" if every[0].unit == SHARE else "latency"
    figure.suptitle(f"{what} on {shortened(device, NAME)}", fontsize=9, x=0.01, ha="left")
    handles = {label: handle for axes in panels for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    figure.legend(list(handles.values()), list(handles), loc="outside lower right", ncols=3, fontsize=7, frameon=False)
    return figure


def write_history_picture(path: Path, every: Sequence[Series], device: str) -> None:
    """Draw series into a file, atomically, in the format that its name ends in.

    Raises:
        InputError: another ending than svg, png or pdf; see :func:`draw`; the place cannot be written.
    """
    kind = path.suffix.removeprefix(".").lower()
    if kind not in FORMATS:
        raise InputError(f"--out {path}: a picture's name ends in {', '.join('.' + f for f in FORMATS)}")
    refuse_outputs([Output(path, {"svg": SVG, "png": PNG, "pdf": PDF}[kind], "--out")], [])
    stream = io.BytesIO()
    with settings():
        draw(every, device).savefig(stream, format=kind)
    with atomic_path(path) as temporary:
        temporary.write_bytes(stream.getvalue())
