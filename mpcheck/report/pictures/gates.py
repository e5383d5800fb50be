"""History over commits: the worst ratio of every format, how much was red, where versions changed, and what changed for good."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from mpcheck._text import counted, one_line
from mpcheck.history.gates import GateEntry, in_time
from mpcheck.history.latency.change_points import shifts
from mpcheck.records.versions import changed_versions
from mpcheck.report.pictures import theme
from mpcheck.report.pictures.base import Picture
from mpcheck.report.pictures.canvas import LINE, SMALL, TINY, WIDTH, Canvas, legend_height, ticks
from mpcheck.report.pictures.rows import MOST_FORMATS, Badness, choose
from mpcheck.report.pictures.words import shorten

MOST_ENTRIES, MOST_NOTES, TICKS = 120, 8, 8
LEFT, PANEL, RED, FOOT = 30.0, 150.0, 52.0, 46.0
HIGHEST = 3.0  # times the limit; what lies beyond is drawn at the edge


def history_pictures(history: Sequence[GateEntry]) -> list[Picture]:
    """One picture of the entries that judged what the last one judged; none where there are fewer than two."""
    ordered = in_time(history)
    own = [e for e in ordered if e.work == ordered[-1].work]
    shown = own[-MOST_ENTRIES:]
    if len(shown) < 2:
        return []
    series = _series(shown)
    worst: dict[str, Badness] = {f: (False, max(v for v in values if not math.isnan(v))) for f, values in series.items()}
    formats = choose(worst, MOST_FORMATS)
    notes = _versions(shown)[-MOST_NOTES:]
    lasting = _lasting(shown, {f: series[f] for f in formats})[-MOST_NOTES:]
    told = [f"{i} {text}" for i, (_, text) in enumerate(notes, 1)]
    told += [f"{_letter(i)} {text}" for i, (_, text) in enumerate(lasting)]
    looks = {f: theme.series_style(i) for i, f in enumerate(formats)}
    top = legend_height(formats) + 22
    canvas = Canvas(top + PANEL + RED + FOOT + 34 + 13 * len(told))
    canvas.legend(0, LINE / 2, [(f, s.line) for f, s in looks.items()])
    axes = canvas.axes(LEFT, top, WIDTH - LEFT - 6, PANEL, grid="y")
    _ratios(axes, looks, series)
    below = canvas.axes(LEFT, top + PANEL + 30, WIDTH - LEFT - 6, RED, grid="y")
    canvas.write(LEFT, top + PANEL + 18, "red conclusions", SMALL, color=theme.MUTED)
    _red(below, shown)
    for place, (index, _) in enumerate(notes, 1):
        _mark(axes, below, index, str(place), theme.MUTED, (0, (1.5, 2)))
    for place, (index, _) in enumerate(lasting):
        _mark(axes, below, index, _letter(place), theme.WARN, "-")
    step = -(-len(shown) // TICKS)
    places = list(range(len(shown) - 1, -1, -step))[::-1]
    for panel in (axes, below):
        panel.set_xlim(-0.6, len(shown) - 0.4)
        panel.set_xticks([])
    below.set_xticks(places, [shorten(shown[i].commit[:8], 60, TINY) for i in places], rotation=38, ha="right", rotation_mode="anchor")
    for i, text in enumerate(told):
        canvas.write(0, top + PANEL + 30 + RED + FOOT + 6 + 13 * i, text, SMALL, WIDTH, color=theme.INK)
    return [canvas.picture("history", "history", "History over commits", _caption(len(shown), len(ordered), told), _alt(shown, told))]


def _letter(place: int) -> str:
    return chr(ord("A") + place)


def _series(entries: Sequence[GateEntry]) -> dict[str, list[float]]:
    """Worst share of its limit over blocks and backends, by format; not a number where an entry has none."""
    series: dict[str, list[float]] = {}
    for place, entry in enumerate(entries):
        for name, share in entry.ratios.items():
            values = series.setdefault(name.rpartition("|")[2], [math.nan] * len(entries))
            values[place] = share if math.isnan(values[place]) else max(values[place], share)
    return series


def _versions(entries: Sequence[GateEntry]) -> list[tuple[int, str]]:
    """Where packages changed: the first entry after it, and what changed."""
    changes = []
    for i, (before, after) in enumerate(itertools.pairwise(entries), 1):
        changed = changed_versions(before.packages, after.packages)
        if changed:
            changes.append((i, f"{', '.join(changed)} at {after.commit[:8]}"))
    return changes


def _lasting(entries: Sequence[GateEntry], series: Mapping[str, Sequence[float]]) -> list[tuple[int, str]]:
    """Lasting changes of a format's worst ratio. One that is 0 at some commit is exact, and has no logarithm."""
    changes: list[tuple[int, str]] = []
    for fmt, values in series.items():
        known = [(i, v) for i, v in enumerate(values) if not math.isnan(v)]
        if any(v <= 0 or math.isinf(v) for _, v in known):
            continue
        for shift in shifts([v for _, v in known]):
            index = known[shift.index][0]
            effect, low, high = (100 * math.expm1(x) for x in (shift.effect, shift.low, shift.high))
            changes.append((index, f"{fmt} {effect:+.0f} % [{low:+.0f}, {high:+.0f}] at {entries[index].commit[:8]}"))
    return sorted(changes)


def _ratios(axes: Axes, looks: Mapping[str, theme.Style], series: Mapping[str, Sequence[float]]) -> None:
    highest = max((v for f in looks for v in series[f] if not math.isnan(v)), default=0.0)
    edge = min(HIGHEST, max(1.25, 1.12 * highest))
    for fmt, style in looks.items():
        values = np.minimum(np.asarray(series[fmt], dtype=np.float64), edge)
        few = max(1, len(values) // 20)
        axes.plot(range(len(values)), values, linewidth=1.1, markersize=3.6, markevery=few, clip_on=False, **style.line)
        beyond = [i for i, v in enumerate(series[fmt]) if v > edge]
        axes.plot(beyond, [edge] * len(beyond), color=theme.FAIL, marker="^", markersize=6, linestyle="none", clip_on=False)
    axes.axhline(1.0, color=theme.INK, linewidth=1.2)
    axes.set_ylim(0, edge)
    places = [0.0, 0.5, 1.0] + ([1.5, 2.0, 2.5, 3.0] if edge > 1.6 else [])
    ticks(axes, "y", [p for p in places if p <= edge], [f"{p:g}" for p in places if p <= edge])


def _red(axes: Axes, entries: Sequence[GateEntry]) -> None:
    counts = [len(e.red) for e in entries]
    red = [i for i, n in enumerate(counts) if n]
    axes.bar(red, [counts[i] for i in red], width=0.7, color=theme.FAIL, linewidth=0)
    clean = [i for i, n in enumerate(counts) if not n]
    axes.plot(clean, [0] * len(clean), color=theme.PASS, marker="o", markersize=3, linestyle="none", clip_on=False)
    most = max(1, *counts)
    axes.set_ylim(0, 1.15 * most)
    ticks(axes, "y", [0, most], ["0", f"{most:,}"])


def _mark(axes: Axes, below: Axes, index: int, sign: str, colour: str, dash: Any) -> None:
    for panel in (axes, below):
        panel.axvline(index - 0.5, color=colour, linewidth=1.0, linestyle=dash)
    axes.annotate(
        sign, (index - 0.5, 1.0), xycoords=("data", "axes fraction"), xytext=(0, 10 if sign.isdigit() else 2), textcoords="offset points",
        fontsize=TINY, color=colour, ha="center", fontweight="bold",
    )  # fmt: skip


def _caption(shown: int, total: int, told: Sequence[str]) -> str:
    text = (
        "Above: the worst error of every format over what is allowed, over blocks and backends; the line at 1 is the limit. "
        "Below: how many conclusions were red; a dot where none was. One place an entry, oldest first."
    )
    if told:
        text += " Digits mark changed versions, letters lasting changes of a format's worst ratio; the latest of each are named."
    left = total - shown
    return text + (f" {counted(left, 'entry')} {'is' if left == 1 else 'are'} not drawn: older, or of other work." if left else "")


def _alt(shown: Sequence[GateEntry], told: Sequence[str]) -> str:
    red = [e.commit[:8] for e in shown if e.red]
    text = f"{len(shown)} entries from {shown[0].commit[:8]} to {shown[-1].commit[:8]}; red: {len(red)}" + (f", last {red[-1]}." if red else ".")
    return f"{text} {'; '.join(one_line(t) for t in told)}" + ("." if told else "")
