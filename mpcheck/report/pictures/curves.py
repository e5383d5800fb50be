"""Curves over one axis: a line for each series, told apart by colour, dash and mark."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mpcheck._text import counted
from mpcheck.report.pictures import theme
from mpcheck.report.pictures.base import Picture, Section
from mpcheck.report.pictures.canvas import LINE, SMALL, WIDTH, Canvas, Look, decades, legend_height, readable

LEFT, HEIGHT, FOOT = 52.0, 170.0, 36.0
MOST = 8
MARKS = 8
"""Marks along a curve: enough to tell it from another where both lie on top of each other."""


@dataclass(frozen=True)
class Curve:
    """One series: name, places and values; promised: drawn without marks and faint."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    promised: bool = False


@dataclass(frozen=True)
class Words:
    """What is written at a picture: names of its axes and the rest, see :class:`mpcheck.report.pictures.base.Picture`."""

    name: str
    section: Section
    title: str
    caption: str
    along: str
    up: str


def curves_picture(curves: Sequence[Curve], words: Words, log: bool = False, stairs: bool = False) -> Picture | None:
    """The picture; None where no curve has two points.

    Args:
        curves: those of one name look alike; values that are no numbers are left out. log: of the values. stairs: whether a value holds until the
            next one.
    """
    known = [_finite(c, log) for c in curves]
    drawable = [c for c in known if len(c.x) > 1]
    if not drawable:
        return None
    names = list(dict.fromkeys(c.name for c in drawable))[:MOST]
    shown = [c for c in drawable if c.name in names]
    styles = {n: theme.series_style(i) for i, n in enumerate(names)}
    entries: list[tuple[str, Look]] = [(n, styles[n].line) for n in names]
    if any(c.promised for c in shown):
        entries.append(("promised", {"color": theme.MUTED, "linestyle": (0, (1.5, 1.5)), "marker": ""}))
    top = legend_height([text for text, _ in entries]) + 18
    canvas = Canvas(top + HEIGHT + FOOT)
    canvas.legend(0, LINE / 2, entries)
    canvas.write(0, top - 9, words.up, SMALL, WIDTH, color=theme.MUTED)
    drawn = canvas.axes(LEFT, top, WIDTH - LEFT - 8, HEIGHT)
    for curve in shown:
        look, every = styles[curve.name], max(1, len(curve.x) // MARKS)
        values = [math.log10(v) for v in curve.y] if log else list(curve.y)
        line = {**look.line, "linestyle": (0, (1.5, 1.5)), "marker": ""} if curve.promised else {**look.line, "markevery": every}
        artist = drawn.plot(curve.x, values, linewidth=1.0, markersize=3.5, drawstyle="steps-post" if stairs else "default", **line)[0]
        canvas.tip(
            artist,
            f"{curve.name}{', promised' if curve.promised else ''}: {curve.y[0]:.4g} at {curve.x[0]:.3g}, {curve.y[-1]:.4g} at {curve.x[-1]:.3g}",
        )
    if log:
        logs = [math.log10(v) for c in shown for v in c.y]
        low, high = min(logs) - 0.1, max(logs) + 0.1
        if high - low < 3:
            readable(drawn, "y", low, high)
        else:
            drawn.set_ylim(low, high)
            decades(drawn, "y", low, high)
    drawn.ticklabel_format(axis="x", useOffset=False)
    if not log:
        drawn.ticklabel_format(axis="y", useOffset=False)
        drawn.locator_params(axis="y", nbins=5)
    drawn.locator_params(axis="x", nbins=6)
    canvas.write(LEFT + (WIDTH - LEFT) / 2, top + HEIGHT + 26, words.along, SMALL, color=theme.MUTED, ha="center")
    left_out = len(drawable) - len(shown)
    told = f"{words.caption} {counted(left_out, 'further curve')} left out." if left_out else words.caption
    alt = "; ".join(f"{c.name}{' (promised)' if c.promised else ''} ends at {c.y[-1]:.4g}" for c in shown)
    return canvas.picture(words.name, words.section, words.title, told, f"{words.up} over {words.along}: {alt}.")


def _finite(curve: Curve, log: bool) -> Curve:
    kept = [(x, y) for x, y in zip(curve.x, curve.y, strict=True) if math.isfinite(x) and math.isfinite(y) and (y > 0 or not log)]
    return Curve(curve.name, [x for x, _ in kept], [y for _, y in kept], curve.promised)
