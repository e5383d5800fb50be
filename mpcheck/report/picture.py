"""The picture of a precision run: every tensor's rounding ratio, block by block, against its limit."""

from __future__ import annotations

import io
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mpcheck._files.io import atomic_path
from mpcheck._text import picture
from mpcheck.records.document import Records
from mpcheck.records.names import PRECISION
from mpcheck.records.tensors import Quantity

COLOURS = {"float64": "#999999", "float32": "#0072b2", "tf32": "#009e73", "bfloat16": "#d55e00", "float16": "#cc79a7"}
"""Okabe and Ito's palette: told apart by colour-blind readers."""
RIGHT = 2.5  # ratios beyond it are drawn at the edge as arrows
ROW = 0.24  # inches a block
SPREAD = 0.7  # share of a row that its formats are spread over


def judged_share(q: Quantity) -> float | None:
    """A tensor's rms ratio in units of its own limit; None where it has none."""
    if q.rms_limit is None:
        return None
    return float("inf") if q.rms is None else q.rms / q.rms_limit


def _panel(axes: Axes, run: Records, backend: str, blocks: list[str], formats: list[str]) -> None:
    rows = {name: i for i, name in enumerate(blocks)}
    for place, fmt in enumerate(formats):
        offset = SPREAD * ((place + 0.5) / len(formats) - 0.5)
        good: list[tuple[float, float]] = []
        bad: list[tuple[float, float]] = []
        for cell in run.of(PRECISION):
            if cell.backend != backend or cell.format != fmt:
                continue
            for q in cell.quantities:
                share = judged_share(q)
                if share is not None:
                    (bad if q.failures else good).append((min(share, RIGHT), rows[cell.subject] + offset))
        colour = COLOURS.get(fmt, "black")
        if good:
            x, y = zip(*good, strict=True)
            axes.scatter(x, y, s=5, color=colour, alpha=0.35, linewidths=0)
        if bad:
            x, y = zip(*bad, strict=True)
            axes.scatter(x, y, s=26, color=colour, marker="X", edgecolors="black", linewidths=0.6, zorder=3)
    axes.axvline(1.0, color="black", linewidth=0.8)
    axes.set_title(picture(backend), fontsize=9, loc="left")
    axes.set_xlim(0, RIGHT * 1.02 if any(q.failures for c in run.of(PRECISION) if c.backend == backend for q in c.quantities) else 1.3)
    axes.set_xlabel("rms error / allowed rms error", fontsize=8)
    axes.tick_params(labelsize=7)
    axes.grid(axis="y", linewidth=0.3, alpha=0.5)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def draw(run: Records) -> Figure:
    """One row a block, one panel a backend, one dot a tensor (all systems and directions), one colour a format.

    What is drawn is the rms rounding ratio over its limit: 1 is what is allowed for that tensor, whatever it is.
    """
    backends = list(dict.fromkeys(c.backend for c in run.of(PRECISION)))
    blocks = list(dict.fromkeys(c.subject for c in run.of(PRECISION)))
    formats = list(dict.fromkeys(c.format for c in run.of(PRECISION)))
    figure = Figure(figsize=(3.2 + 3.6 * len(backends), 1.3 + ROW * len(blocks)), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(backends), sharey=True, squeeze=False)[0]
    for axes, backend in zip(panels, backends, strict=True):
        _panel(axes, run, backend, blocks, formats)
    panels[0].set_yticks(range(len(blocks)), list(map(picture, blocks)))
    panels[0].set_ylim(len(blocks) - 0.5, -0.5)
    handles = [Line2D([], [], linestyle="", marker="o", markersize=4, color=COLOURS.get(f, "black"), label=picture(f, 20)) for f in formats]
    if any(q.failures for c in run.of(PRECISION) for q in c.quantities):
        handles.append(Line2D([], [], linestyle="", marker="X", markersize=6, color="white", markeredgecolor="black", label="fails a limit"))
    figure.legend(handles=handles, loc="outside upper right", ncols=len(handles), fontsize=7, frameon=False)
    device = run.environment.device_name
    figure.suptitle(f"{picture(run.model.name)} on {picture(device)}: rounding error of every tensor", fontsize=9, x=0.01, ha="left")
    return figure


def write_picture(path: Path, run: Records) -> None:
    """Draw a run into a PNG file, atomically.

    Raises:
        InputError: the directory cannot be written.
    """
    stream = io.BytesIO()
    draw(run).savefig(stream, format="png")
    with atomic_path(path) as temporary:
        temporary.write_bytes(stream.getvalue())
