"""Magnitudes of tensors as bars over powers of two, beside the ranges of number formats."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from mpcheck._text import counted, number
from mpcheck.report.pictures import theme
from mpcheck.report.pictures.base import Picture
from mpcheck.report.pictures.canvas import SMALL, TINY, WIDTH, Canvas, ticks
from mpcheck.report.pictures.words import extent, power

ROW, HEAD, FOOT = 11.0, 26.0, 30.0
LABEL = 168.0  # pixels for names, at most
MOST = 70  # bars of a picture
MARGIN = 3  # powers of two about what is drawn


class Bar(NamedTuple):
    """One tensor: smallest and largest magnitude, and the powers of two that 5, 50 and 95 % of its magnitudes lie below."""

    name: str
    smallest: float
    largest: float
    low: float
    middle: float
    high: float


class Limits(NamedTuple):
    """Formats of one range: their names, smallest positive, smallest normal and largest number."""

    names: str
    smallest: float
    normal: float
    end: float


def exponents_picture(bars: Sequence[Bar], limits: Sequence[Limits], name: str, title: str) -> Picture | None:
    """A row a tensor; None where there is none. Of very many those are left out that are farthest from the narrowest format's ends."""
    if not bars:
        return None
    narrow = min(limits, key=lambda own: own.end, default=None)
    shown = _closest(bars, narrow)
    room = min(LABEL, max(extent(bar.name, TINY) for bar in shown) + 8)
    canvas = Canvas(HEAD + ROW * len(shown) + FOOT)
    low, high = _view(shown, narrow)
    axes = canvas.axes(room, HEAD, WIDTH - room - 10, ROW * len(shown), grid="x")
    axes.set_xlim(low, high)
    axes.set_ylim(len(shown) - 0.5, -0.5)
    axes.set_yticks([])
    for own in limits:
        ends = [math.log2(v) for v in (own.smallest or own.normal, own.normal, own.end)]
        if not any(low < edge < high for edge in ends):
            continue  # all that is drawn is in it
        for first, last, alpha in ((ends[0], ends[1], 0.07), (ends[1], ends[2], 0.16)):
            axes.axvspan(max(first, low), max(low, min(last, high)), color=theme.SERIES[0], alpha=alpha, linewidth=0)
        for edge in ends[1:]:
            if low < edge < high:
                axes.axvline(edge, color=theme.MUTED, linewidth=0.9, linestyle=(0, (4, 2)))
    if narrow is not None:
        _named(canvas, narrow, room, low, high)
    for i, bar in enumerate(shown):
        beyond = narrow is not None and bar.largest > narrow.end
        colour = theme.FAIL if beyond else theme.SERIES[0]
        canvas.write(0, HEAD + ROW * (i + 0.5), bar.name, TINY, room - 6)
        axes.plot([math.log2(bar.smallest), math.log2(bar.largest)], [i, i], color=colour, linewidth=1.0, solid_capstyle="butt")
        axes.plot([bar.low, bar.high + 1], [i, i], color=colour, linewidth=4.0, solid_capstyle="butt")
        if bar.low == bar.high:
            axes.plot([bar.middle + 0.5], [i], color=colour, marker="o", markersize=4, linestyle="none")
        else:
            axes.plot([bar.middle + 0.5], [i], color=theme.PAPER, marker="|", markersize=4, linestyle="none")
    step = max(1, math.ceil((high - low) / 5 / 8) * 8)
    places = [p for p in range(-2048, 2048, step) if low <= p <= high]
    ticks(axes, "x", places, [power(p, 2) for p in places])
    canvas.write(WIDTH - 10, canvas.height - 6, "magnitude; thick: 5 to 95 % of the numbers, tick: half of them", TINY, ha="right", color=theme.MUTED)
    left = f" {counted(len(bars) - len(shown), 'tensor')} farther from them left out." if len(bars) > len(shown) else ""
    caption = (
        "From the smallest to the largest magnitude of each tensor, thick where 5 to 95 % of its numbers other than zero lie. Between dashed lines, "
        f"shaded: the normal range of {'; '.join(own.names for own in limits) or 'no format'}, where it ends in sight; fainter: subnormal numbers, "
        f"which have fewer digits. Red: beyond the narrowest format's largest number.{left}"
    )
    alt = "; ".join(f"{bar.name} {number(bar.smallest)} to {number(bar.largest)}" for bar in shown)
    return canvas.picture(name, "own", title, caption, f"{counted(len(shown), 'tensor')}. {alt}.")


def _closest(bars: Sequence[Bar], narrow: Limits | None) -> list[Bar]:
    """In their order."""
    if len(bars) <= MOST or narrow is None:
        return list(bars[:MOST])

    def room(bar: Bar) -> float:
        return min(math.log2(narrow.end) - math.log2(bar.largest), bar.low - math.log2(narrow.normal))

    kept = sorted(range(len(bars)), key=lambda i: room(bars[i]))[:MOST]
    return [bars[i] for i in sorted(kept)]


def _view(bars: Sequence[Bar], narrow: Limits | None) -> tuple[float, float]:
    """Powers of two at both ends: all that is drawn, and the narrowest format's range where it is not far off."""
    low, high = min(math.log2(bar.smallest) for bar in bars), max(math.log2(bar.largest) for bar in bars)
    if narrow is not None and math.log2(narrow.end) < high + 40:
        low, high = min(low, max(math.log2(narrow.normal), low - 40)), max(high, math.log2(narrow.end))
    return low - MARGIN, high + MARGIN


def _named(canvas: Canvas, narrow: Limits, left: float, low: float, high: float) -> None:
    """The narrowest format's name above its range."""
    wide = WIDTH - left - 10
    ends = [min(max(p, low), high) for p in (math.log2(narrow.normal), math.log2(narrow.end))]
    middle = left + wide * ((ends[0] + ends[1]) / 2 - low) / (high - low)
    text = f"{narrow.names}, normal range"
    half = extent(text, SMALL) / 2
    canvas.write(min(max(middle, half), WIDTH - half), HEAD - 12, text, SMALL, ha="center", color=theme.MUTED)
