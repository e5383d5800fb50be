"""Values by group and series with what they scatter by, as points and bars side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mpcheck._text import one_line
from mpcheck.report.pictures import theme
from mpcheck.report.pictures.base import Picture
from mpcheck.report.pictures.canvas import LINE, SMALL, TINY, WIDTH, Canvas, legend_height, readable
from mpcheck.report.pictures.curves import Words
from mpcheck.report.pictures.words import extent

ROW, FOOT, LABEL = 15.0, 32.0, 150.0


@dataclass(frozen=True)
class Spread:
    """Values of one series in one group: one for each run."""

    series: str
    group: str
    values: Sequence[float]


def grouped_picture(spreads: Sequence[Spread], words: Words) -> Picture | None:
    """A row for each series and, in another colour, each group: every value, and their mean; None where there are no positive ones."""
    held = [s for s in spreads if s.values and all(v > 0 and math.isfinite(v) for v in s.values)]
    if not held:
        return None
    series, groups = (list(dict.fromkeys(getattr(s, name) for s in held)) for name in ("series", "group"))
    looks = {group: theme.series_style(place) for place, group in enumerate(groups)}
    top, room = legend_height(groups) + 4, min(LABEL, max(extent(one_line(s), SMALL) for s in series) + 8)
    canvas = Canvas(top + 2 * ROW * len(series) + FOOT)
    canvas.legend(0, LINE / 2, [(group, looks[group].point) for group in groups])
    axes = canvas.axes(room, top, WIDTH - room - 10, 2 * ROW * len(series), grid="x")
    for place, name in enumerate(series):
        canvas.write(0, top + 2 * ROW * (place + 0.5), name, SMALL, room - 6)
    told, ends = [], list[float]()
    for one in held:
        own, style = [math.log10(v) for v in one.values], looks[one.group]
        height = series.index(one.series) + 0.7 * ((groups.index(one.group) + 0.5) / len(groups) - 0.5)
        mean = math.log10(sum(one.values) / len(one.values))
        axes.plot([min(own), max(own)], [height] * 2, color=style.colour, linewidth=1.4, solid_capstyle="butt")
        axes.plot([mean], [height], markersize=4.5, **style.point)
        ends += own
        told.append(f"{one.series}, {one.group}: {10**mean:.3g}")
    readable(axes, "x", min(ends) - 0.04, max(ends) + 0.04)
    axes.set_ylim(len(series) - 0.5, -0.5)
    axes.set_yticks([])
    canvas.write(WIDTH - 10, canvas.height - 7, words.along, TINY, ha="right", color=theme.MUTED)
    return canvas.picture(words.name, words.section, words.title, words.caption, f"{words.along}. {'; '.join(told)}.")
