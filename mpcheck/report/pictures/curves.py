"""Curves over the course of a run: a line for each series, or a band of the same colour where there are several runs of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from matplotlib.ticker import MaxNLocator

from mpcheck.report.pictures import theme
from mpcheck.report.pictures.base import Picture, Section
from mpcheck.report.pictures.canvas import LINE, TINY, WIDTH, Canvas, decades, legend_height, readable

LEFT, HEIGHT, FOOT = 44.0, 190.0, 34.0


@dataclass(frozen=True)
class Curve:
    """One run. label: of its series; points: place and value, None where the value is no number."""

    label: str
    points: Sequence[tuple[float, float | None]]


@dataclass(frozen=True)
class Words:
    """What is written at a picture: names of its axes and the rest, see :class:`mpcheck.report.pictures.base.Picture`."""

    name: str
    section: Section
    title: str
    caption: str
    along: str
    up: str


def curve_picture(curves: Sequence[Curve], words: Words, steps: Literal["", "post"] = "") -> Picture | None:
    """Curves over a logarithmic axis; None where no value is positive.

    Args:
        steps: ``post`` where a value holds until the next point.
    """
    labels = list(dict.fromkeys(curve.label for curve in curves))
    ends = [math.log10(v) for curve in curves for _, v in curve.points if v is not None and v > 0]
    if not ends:
        return None
    top = legend_height(labels) + 4 + LINE
    canvas = Canvas(top + HEIGHT + FOOT)
    looks = {label: theme.series_style(place) for place, label in enumerate(labels)}
    canvas.legend(0, LINE / 2, [(label, {"color": looks[label].colour, "linestyle": looks[label].dash, "marker": ""}) for label in labels])
    canvas.write(0, top - LINE / 2, words.up, TINY, color=theme.MUTED)
    axes = canvas.axes(LEFT, top, WIDTH - LEFT - 10, HEIGHT, grid="y")
    for curve in curves:
        own = [(x, math.log10(v)) for x, v in curve.points if v is not None and v > 0]
        style = looks[curve.label]
        drawn = "steps-post" if steps else "default"
        axes.plot([x for x, _ in own], [y for _, y in own], color=style.colour, linestyle=style.dash, linewidth=1.2, drawstyle=drawn)
    low, high = min(ends), max(ends)
    room = 0.05 * max(high - low, 0.2)
    if high - low < 3:
        readable(axes, "y", low - room, high + room)
    else:
        axes.set_ylim(low - room, high + room)
        decades(axes, "y", low - room, high + room)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    places = [x for curve in curves for x, _ in curve.points]
    axes.set_xlim(min(places), max(max(places), min(places) + 1))
    canvas.write(LEFT + (WIDTH - LEFT) / 2, canvas.height - 8, words.along, TINY, ha="center", color=theme.MUTED)
    told = "; ".join(f"{curve.label} ends at {_last(curve)}" for curve in curves)
    return canvas.picture(words.name, words.section, words.title, words.caption, f"{words.up}. {told}.")


def _last(curve: Curve) -> str:
    value = curve.points[-1][1] if curve.points else None
    return "no number" if value is None else f"{value:.3g}"
