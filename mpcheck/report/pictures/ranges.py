"""What one call of every benchmark takes: median and 5 to 95 % of its rounds, a picture a system and direction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from mpcheck._text import counted, one_line
from mpcheck.report.pictures import theme
from mpcheck.report.pictures.base import Picture
from mpcheck.report.pictures.canvas import LINE, SMALL, TINY, WIDTH, Canvas, Look, legend_height, readable
from mpcheck.report.pictures.words import extent, milliseconds, slug

ROW, FOOT = 16.0, 30.0
LABEL = 172.0  # pixels for names, at most
QUANTILES = (0.05, 0.5, 0.95)


class Sample(NamedTuple):
    """Seconds of one benchmark's calls.

    Attributes:
        place: the system and how often it is repeated; series: backend and format.
    """

    place: str
    subject: str
    work: str
    series: str
    seconds: Sequence[float]


def range_pictures(samples: Iterable[Sample]) -> list[Picture]:
    """Forward alone and with the backward pass, for every system; one row a subject; none where nothing was timed."""
    by_place: dict[tuple[str, bool], list[Sample]] = {}
    measured = [s for s in samples if s.seconds]
    looks = {name: theme.series_style(i) for i, name in enumerate(dict.fromkeys(s.series for s in measured))}
    for sample in measured:
        by_place.setdefault((sample.place, "+" in sample.work), []).append(sample)
    pictures: list[Picture] = []
    for (place, backward), own in sorted(by_place.items(), key=lambda pair: [p for p, _ in by_place].index(pair[0][0])):
        name = slug("latency", place, "backward" if backward else "", taken={p.name for p in pictures})
        pictures.append(_picture(own, name, f"{place}: {', '.join(dict.fromkeys(s.work for s in own))}", looks))
    return pictures


def _picture(samples: Sequence[Sample], name: str, title: str, looks: dict[str, theme.Style]) -> Picture:
    rows = list(dict.fromkeys(s.subject for s in samples))
    series = [n for n in looks if any(s.series == n for s in samples)]
    entries: list[tuple[str, Look]] = [(n, looks[n].point) for n in series]
    top, room = legend_height(series) + 2, min(LABEL, max(extent(one_line(subject), SMALL) for subject in rows) + 8)
    canvas = Canvas(top + ROW * len(rows) + FOOT)
    canvas.legend(0, LINE / 2, entries)
    axes = canvas.axes(room, top, WIDTH - room - 10, ROW * len(rows), grid="x")
    for i, subject in enumerate(rows):
        canvas.write(0, top + ROW * (i + 0.5), subject, SMALL, room - 6, fontweight="bold" if subject == "model" else "normal")
    told, ends = [], list[float]()
    for sample in samples:
        style = looks[sample.series]
        height = rows.index(sample.subject) + 0.6 * ((series.index(sample.series) + 0.5) / len(series) - 0.5)
        low, median, high = (float(v) for v in np.log10(1e3 * np.quantile(sample.seconds, QUANTILES)))
        axes.plot([low, high], [height] * 2, color=style.colour, linewidth=1.2, solid_capstyle="butt")
        axes.plot([median], [height], markersize=3.6, **style.point)
        ends += [low, high]
        told.append(f"{sample.subject} {sample.series} {milliseconds(10**median)}")
    readable(axes, "x", min(ends) - 0.08, max(ends) + 0.08)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_yticks([])
    canvas.write(WIDTH - 10, canvas.height - 6, "one call, ms: median, 5 to 95 % of rounds", TINY, ha="right", color=theme.MUTED)
    caption = "Median of one call's milliseconds and the range of 5 to 95 % of its rounds."
    return canvas.picture(name, "latency", title, caption, f"{counted(len(rows), 'benchmark')}. {'; '.join(told)}.")
