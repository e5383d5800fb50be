"""A sheet to draw on, measured in pixels from its top left corner."""

from __future__ import annotations

import contextlib
import io
import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

import matplotlib.style
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mpcheck._text import one_line, shortened
from mpcheck.report.pictures import theme
from mpcheck.report.pictures.base import Picture, Section
from mpcheck.report.pictures.svg import finish
from mpcheck.report.pictures.words import extent, power, shorten

WIDTH = 380.0
"""Of every picture, in pixels: a phone shows it unscaled, a desktop two side by side."""
SMALL, TINY = 10.0, 9.0  # font sizes, pixels
LINE = 14.0  # of a legend
BLANK = "␣"  # stands for a name of blanks
TIP, TITLE, TEXT = 300, 120, 2000  # characters of names and texts at most: records may hold any
Look = dict[str, Any]
"""How matplotlib is to draw a line or a point."""


@contextlib.contextmanager
def settings() -> Iterator[None]:
    """Draw by our settings alone, whatever ``matplotlibrc`` says, and without complaints about glyphs of a font that is not shown."""
    with matplotlib.style.context(["default", theme.SETTINGS]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"(Glyph|Matplotlib currently does not support)", category=UserWarning)
        yield


class Canvas:
    """One drawing.

    Args:
        height: pixels.
    """

    def __init__(self, height: float) -> None:
        self.width, self.height = WIDTH, math.ceil(height)
        self.figure = Figure(figsize=(WIDTH / 72, self.height / 72), dpi=72)
        FigureCanvasSVG(self.figure)
        self.figure.patch.set_visible(False)
        self._tips: dict[str, str] = {}
        self.sheet = self.figure.add_axes((0, 0, 1, 1))
        self.sheet.set_axis_off()
        self.sheet.set_xlim(0, self.width)
        self.sheet.set_ylim(self.height, 0)

    def write(self, x: float, y: float, text: str, size: float = SMALL, room: float | None = None, **more: Any) -> None:
        """Text from data with its middle at a height; shortened to ``room`` pixels, and then whole under the pointer."""
        shown = one_line(text) if room is None else shorten(text, room, size)
        artist = self.sheet.text(x, y, shown or BLANK, fontsize=size, **({"color": theme.INK, "va": "center"} | more))
        if shown != one_line(text):
            self.tip(artist, text)

    def tip(self, artist: Artist, text: str) -> None:
        """Show a text when a pointer rests on an artist."""
        key = f"tip{len(self._tips)}"
        artist.set_gid(key)
        self._tips[key] = shortened(text, TIP)

    def axes(self, left: float, top: float, width: float, height: float, grid: Literal["x", "y", "both"] = "both") -> Axes:
        """Axes at a place, all pixels; lines of the grid along ``x``, ``y`` or ``both``."""
        place = (left / self.width, 1 - (top + height) / self.height, width / self.width, height / self.height)
        axes = self.figure.add_axes(place)
        axes.patch.set_visible(False)
        axes.set_axisbelow(True)
        axes.tick_params(length=0, pad=3, labelsize=TINY, labelcolor=theme.MUTED)
        for side, spine in axes.spines.items():
            spine.set_visible(side in ("left", "bottom"))
            spine.set_edgecolor(theme.MUTED)
            spine.set_linewidth(0.6)
        axes.grid(axis=grid, color=theme.GRID, linewidth=0.6)
        return axes

    def legend(self, x: float, y: float, entries: Sequence[tuple[str, Look]], room: float = 200) -> float:
        """A legend whose first line is at a height; returns the height below it.

        Args:
            entries: text, and how its sign is drawn. room: of each text, in pixels.
        """
        left = x
        for text, look in entries:
            shown = shorten(text, room, SMALL)
            wide = 24 + extent(shown, SMALL)
            if left > x and left + wide > self.width:
                left, y = x, y + LINE
            points = [left, left + 8, left + 16] if look.get("linestyle", "none") != "none" else [left + 8]
            drawn: Look = {"markersize": 4.5, "markevery": [len(points) // 2]} | look
            self.sheet.add_line(Line2D(points, [y] * len(points), **drawn))
            self.write(left + 20, y, text, SMALL, room)
            left += wide + 8
        return y + LINE

    def picture(self, name: str, section: Section, title: str, caption: str, alt: str) -> Picture:
        """The finished picture."""
        stream = io.StringIO()
        self.figure.savefig(stream, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
        title, caption, alt = shortened(title, TITLE), shortened(caption, TEXT), shortened(alt, TEXT)
        return Picture(name, section, title, caption, alt, finish(stream.getvalue(), name, title, alt, self._tips))


def legend_height(texts: Sequence[str], x: float = 0.0) -> float:
    """Pixels that a legend with these texts needs."""
    left, lines = x, 1
    for text in texts:
        wide = 24 + extent(shorten(text, 200, SMALL), SMALL)
        if left > x and left + wide > WIDTH:
            left, lines = x, lines + 1
        left += wide + 8
    return LINE * lines


def decades(axes: Axes, axis: str, low: float, high: float, most: int = 4) -> None:
    """Powers of ten along an axis that holds decimal logarithms."""
    first, last = math.floor(low), math.ceil(high)
    step = max(1, math.ceil((last - first) / most))
    places = [p for p in range(first, last + 1, step) if low <= p <= high]
    ticks(axes, axis, places, [power(p) for p in places])


def readable(axes: Axes, axis: Literal["x", "y"], low: float, high: float) -> None:
    """Limits of an axis that holds decimal logarithms, with ticks at 1, 2 and 5 times powers of ten, in plain numbers."""
    (axes.set_xlim if axis == "x" else axes.set_ylim)(low, high)
    factors = (1, 1.5, 2, 3, 4, 5, 7) if high - low < 0.8 else (1, 2, 5) if high - low < 3 else (1,)
    places = [math.log10(f * 10.0**e) for e in range(math.floor(low), math.ceil(high) + 1) for f in factors]
    inside = [p for p in places if low <= p <= high]
    if len(inside) < 2:
        inside = [low + share * (high - low) for share in (0.2, 0.5, 0.8)]
    ticks(axes, axis, inside, [f"{10**p:.3g}" for p in inside])


def ticks(axes: Axes, axis: str, places: Sequence[float], labels: Sequence[str]) -> None:
    """Ticks at places, in words."""
    setter: Callable[..., Any] = axes.set_xticks if axis == "x" else axes.set_yticks
    setter(list(places), list(labels))
