"""Backends over size: time of one call, and the speed-up on e3nn with its interval, over the batch size for every angular order."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes

from mpcheck._text import counted
from mpcheck.records.record import Record
from mpcheck.report.pictures import theme
from mpcheck.report.pictures.base import Picture
from mpcheck.report.pictures.canvas import LINE, TINY, WIDTH, Canvas, Look, legend_height, readable
from mpcheck.report.pictures.rows import number, positive

LEFT, HEIGHT, FOOT = 40.0, 170.0, 34.0
BETWEEN = 0.08  # of a step on the axis, between series at the same batch size


@dataclass(frozen=True)
class Line:
    """Points of one angular order and backend: batch size, value, and the ends of its range; colour is the order, dash the backend."""

    label: str
    look: Look
    points: list[tuple[int, float, float, float]]


def sweep_pictures(points: Sequence[Record]) -> list[Picture]:
    """Two pictures; none of what was not measured."""
    pictures = []
    for name, title, names in (
        ("sweep-time", "Median of one call, ms", ("median_ms", "q25_ms", "q75_ms")),
        ("sweep-speedup", "Speed-up on e3nn", ("speedup", "speedup_low", "speedup_high")),
    ):
        lines = [line for line in _lines(points, names) if line.points]
        if lines:
            pictures.append(_picture(name, title, lines, speedup=names[0] == "speedup"))
    return pictures


def _lines(points: Sequence[Record], names: tuple[str, str, str]) -> Iterator[Line]:
    orders = sorted({int(number(f, "l_max") or 0) for f in points})
    for turn, backend in enumerate(dict.fromkeys(f.backend for f in points)):
        for place, order in enumerate(orders):
            own = [f for f in points if f.backend == backend and number(f, "l_max") == order]
            measured = [(int(number(f, "batch") or 0), [positive(f, n) for n in names]) for f in own]
            values = sorted((batch, value, low or value, high or value) for batch, (value, low, high) in measured if value)
            style = theme.series_style(place)
            look: Look = {"color": style.colour, "marker": style.marker, "linestyle": theme.DASHES[turn % len(theme.DASHES)], "markersize": 4}
            yield Line(f"l_max {order}, {backend}", look | ({"markerfacecolor": theme.PAPER} if turn else {}), values)


def _picture(name: str, title: str, lines: Sequence[Line], speedup: bool) -> Picture:
    batches = sorted({batch for line in lines for batch, *_ in line.points})
    top = legend_height([line.label for line in lines]) + 4
    canvas = Canvas(top + HEIGHT + FOOT)
    canvas.legend(0, LINE / 2, [(line.label, line.look) for line in lines])
    axes = canvas.axes(LEFT, top, WIDTH - LEFT - 10, HEIGHT, grid="y")
    for place, line in enumerate(lines):
        _draw(axes, line, [batches.index(batch) + BETWEEN * (place - (len(lines) - 1) / 2) for batch, *_ in line.points])
    ends = [math.log10(v) for line in lines for _, *values in line.points for v in values]
    low, high = (min(0.0, *ends), max(0.0, *ends)) if speedup else (min(ends), max(ends))
    if speedup:
        axes.axhline(0.0, color=theme.INK, linewidth=0.8)
    readable(axes, "y", low - 0.06, high + 0.06)
    axes.set_xticks(range(len(batches)), [str(b) for b in batches])
    axes.set_xlim(-0.4, len(batches) - 0.6)
    canvas.write(LEFT + (WIDTH - LEFT) / 2, canvas.height - 8, "batch size", TINY, ha="center", color=theme.MUTED)
    caption = "Bars are 95 % intervals over rounds of one launch." if speedup else "Bars are quartiles."
    told = "; ".join(f"{line.label}: " + ", ".join(f"{value:.3g} at batch {batch}" for batch, value, *_ in line.points) for line in lines)
    return canvas.picture(name, "latency", title, caption, f"{counted(len(lines), 'line')}. {told}.")


def _draw(axes: Axes, line: Line, places: Sequence[float]) -> None:
    for x, (_, _, low, high) in zip(places, line.points, strict=True):
        axes.plot([x, x], [math.log10(low), math.log10(high)], color=line.look["color"], linewidth=1, solid_capstyle="butt")
    axes.plot(places, [math.log10(value) for _, value, *_ in line.points], **line.look)
