"""Which share of calls took no longer than so many milliseconds, one picture for each work and format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from mpcheck._text import counted
from mpcheck.report.pictures import theme
from mpcheck.report.pictures.base import Picture
from mpcheck.report.pictures.canvas import LINE, TINY, WIDTH, Canvas, Look, readable, ticks
from mpcheck.report.pictures.words import milliseconds, slug

Samples = Mapping[tuple[str, str], Mapping[str, Sequence[float]]]
"""Seconds of calls by (format, work) and backend."""
LEFT, HEIGHT, FOOT = 40.0, 150.0, 34.0


def distribution_pictures(samples: Samples) -> list[Picture]:
    """Empirical distributions, a line a backend."""
    pictures: list[Picture] = []
    for (fmt, work), by_backend in samples.items():
        name = slug("calls", work, fmt, taken={p.name for p in pictures})
        pictures.append(_picture(name, f"{work}, {fmt}", {b: np.sort(np.asarray(s)) * 1e3 for b, s in by_backend.items()}))
    return pictures


def _picture(name: str, title: str, by_backend: Mapping[str, np.ndarray]) -> Picture:
    top = LINE * len(by_backend) + 6
    canvas = Canvas(top + HEIGHT + FOOT)
    axes = canvas.axes(LEFT, top, WIDTH - LEFT - 10, HEIGHT)
    told = []
    for place, (backend, ms) in enumerate(by_backend.items()):
        style, median = theme.series_style(place), float(np.median(ms))
        look: Look = {"color": style.colour, "linestyle": style.dash, "linewidth": 1.6}
        told.append(f"{backend}: median {milliseconds(median)}, {counted(len(ms), 'call')}")
        canvas.legend(0, LINE * (place + 0.5), [(told[-1], look)], WIDTH - 24)
        axes.step(np.log10(ms), (np.arange(len(ms)) + 1) / len(ms), where="post", **look)
    ends = [float(np.log10(v)) for ms in by_backend.values() for v in (ms[0], ms[-1])]
    readable(axes, "x", min(ends) - 0.04, max(ends) + 0.04)
    axes.set_ylim(0, 1.02)
    ticks(axes, "y", [0, 0.25, 0.5, 0.75, 1], ["0", "25 %", "50 %", "75 %", "100 %"])
    canvas.write(LEFT + (WIDTH - LEFT) / 2, canvas.height - 8, "time of one call, ms", TINY, ha="center", color=theme.MUTED)
    caption = "Share of calls that took no longer. Backends took turns in one process."
    return canvas.picture(name, "latency", title, caption, "; ".join(told) + ".")
