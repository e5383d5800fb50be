"""The picture of the curves: detection rate against size, one panel a check, one marker and colour a format."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mpcheck._files.io import atomic_path
from mpcheck.report.pictures.theme import light
from tests.faults.curves.blockwise import EQUIVARIANCE
from tests.faults.curves.cells import DRIFT, PRECISION
from tests.faults.curves.golden_runs import GOLDEN
from tests.faults.curves.records import Curves
from tests.faults.curves.statistics import Curve, curve

MARKERS = ("o", "s", "^", "D", "v", "P")
INK = tuple(light(name) for name in ("ink", *(f"series-{i}" for i in range(5))))
SIZES = (1e-2, 1e4)
BLOCKS = {
    PRECISION: "precision: limits and arithmetic", DRIFT: "drift from a stored baseline", EQUIVARIANCE: "equivariance",
}  # fmt: skip
FORMATS = ("float64", "float32", "bfloat16", "float16")


def _line(axes: Axes, c: Curve, label: str, number: int, colour: str) -> None:
    shown = [b for b in c.bins if SIZES[0] <= b.middle <= SIZES[1]]
    if not shown:
        return
    # neighbouring curves are moved apart sideways, so that their intervals do not hide each other
    x = [b.middle * 1.09 ** (number - 1.5) for b in shown]
    y = [b.rate for b in shown]
    errors = [[max(0.0, b.rate - b.interval[0]) for b in shown], [max(0.0, b.interval[1] - b.rate) for b in shown]]
    count = sum(b.count for b in c.bins)
    axes.errorbar(
        x, y, yerr=errors, marker=MARKERS[number], color=colour, markersize=4, linewidth=1.0, elinewidth=0.7, capsize=1.5, label=f"{label} ({count})"
    )


def _panel(axes: Axes, title: str, lines: Sequence[tuple[Curve, str, str]]) -> None:
    for number, (c, label, colour) in enumerate(lines):
        _line(axes, c, label, number, colour)
    if axes.lines:
        axes.legend(fontsize=6.5, loc="lower right", frameon=False, title="plantings in brackets", title_fontsize=6)
    axes.axvline(1.0, color=INK[0], linewidth=0.7, linestyle=":")
    axes.axhline(0.5, color=INK[0], linewidth=0.4, alpha=0.4)
    axes.set(xscale="log", xlim=SIZES, ylim=(-0.04, 1.04))
    axes.set_title(title, fontsize=9, loc="left")
    axes.tick_params(labelsize=7)
    axes.grid(linewidth=0.3, alpha=0.5)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def draw(found: Curves) -> Figure:
    """Four panels: precision, drift, equivariance by format; golden values and physics, float64, by check.

    Bars are 95 % intervals (Wilson); the dotted line is where a fault is as large as the noise scale.
    """
    figure = Figure(figsize=(9.2, 6.6), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(2, 2, sharey=True).flatten()
    for axes, (check, title) in zip(panels, BLOCKS.items(), strict=False):
        _panel(axes, title, [(curve(check, f, found.plantings, found.sound), f, c) for f, c in zip(FORMATS, INK, strict=False)])
    whole = [GOLDEN, *dict.fromkeys(k for p in found.plantings for k in p.asked if k.startswith("physics"))]
    lines = [(curve(k, "", found.plantings, found.sound), k.removeprefix("physics: "), c) for k, c in zip(whole, INK, strict=False)]
    _panel(panels[3], "golden values and physics, float64", lines)
    for axes in panels[2:]:
        axes.set_xlabel("size of the fault / noise scale (physics: / resolution)", fontsize=8)
    for axes in (panels[0], panels[2]):
        axes.set_ylabel("share of plantings that turn it red", fontsize=8)
    title = f"{len(found.plantings)} faults planted in {found.model['name']}: what is seen from which size on"
    figure.suptitle(title, fontsize=10, x=0.01, ha="left")
    return figure


def write_picture(path: Path, found: Curves) -> None:
    """Draw the curves into a PNG file, atomically.

    Raises:
        InputError: the directory cannot be written.
    """
    stream = io.BytesIO()
    draw(found).savefig(stream, format="png")
    with atomic_path(path) as temporary:
        temporary.write_bytes(stream.getvalue())
