"""Error against format, of a few kinds of block: largest relative error and what is allowed of it, a line a backend.

A few that can be read: those that fail, then those that a model spends its time on. Absolute errors stand in the table of every cell.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from matplotlib.axes import Axes

from mpcheck._names import PRECISION
from mpcheck._text import counted
from mpcheck.records.attribution import family
from mpcheck.records.document import Records
from mpcheck.records.record import Record
from mpcheck.report.pictures import theme
from mpcheck.report.pictures.base import Picture
from mpcheck.report.pictures.canvas import LINE, SMALL, TINY, WIDTH, Canvas, Look, decades, legend_height, ticks
from mpcheck.report.pictures.rows import MOST_BACKENDS, NOTHING, Badness, choose, chosen_words
from mpcheck.report.pictures.words import extent, power, short_format, shorten, slug

MOST_GROUPS, MOST_FORMATS, MOST_DIRECTIONS = 4, 8, 4
HEAVY = (
    "channel-wise tensor product", "symmetric contraction", "linear", "fully connected tensor product", "message scatter", "radial MLP", "read-out",
)  # fmt: skip
"""Roles in the order in which a model spends its time on them; leaves before composites, others after them."""
ROW, GAP = 146.0, 36.0
PANEL = 104.0


@dataclass
class Point:
    """The tensor nearest to its limit, of one group of blocks, backend and format: its error and what is allowed."""

    error: float | None = None
    allowed: float | None = None
    share: float = -1.0
    failed: bool = False

    def take(self, error: float | None, allowed: float | None, failed: bool) -> None:
        """Count a tensor in; an error that is not finite is beyond every limit."""
        error, allowed = (v if v is not None and 0 <= v < math.inf else None for v in (error, allowed))
        share = math.inf if error is None else error / allowed if allowed else float(error > 0)
        if (failed, share) > (self.failed, self.share) or self.share < 0:
            self.error, self.allowed, self.share, self.failed = error, allowed, share, failed


@dataclass
class Panel:
    """Blocks that share a panel."""

    rank: tuple[int, int]
    blocks: dict[str, None] = field(default_factory=dict)
    worst: Badness = NOTHING
    points: dict[tuple[str, str], Point] = field(default_factory=dict)
    """By backend and format."""

    def take(self, cell: Record) -> None:
        """Count a cell in."""
        self.blocks[cell.subject] = None
        for q in cell.quantities:
            point = self.points.setdefault((cell.backend, cell.format), Point())
            point.take(q.max_rel, q.allowed_rel, bool(q.failures))
            self.worst = max(self.worst, (point.failed, point.share))


def _rank(cell: Record) -> tuple[int, int]:
    return int(cell.tensors.block == "composite"), HEAVY.index(role) if (role := cell.tensors.role) in HEAVY else len(HEAVY)


def groups_of(run: Records, direction: str) -> dict[str, Panel]:
    """Blocks that ran, by what they share a panel as."""
    groups: dict[str, Panel] = {}
    for cell in run.of(PRECISION):
        if cell.variant == direction and cell.quantities:
            groups.setdefault(family(cell.subject), Panel(_rank(cell))).take(cell)
    return groups


def error_pictures(run: Records) -> list[Picture]:
    """A picture a direction."""
    pictures: list[Picture] = []
    for direction in list(dict.fromkeys(c.variant for c in run.of(PRECISION)))[:MOST_DIRECTIONS]:
        groups = groups_of(run, direction)
        if groups:
            pictures.append(_picture(groups, direction, slug("error", direction, taken={p.name for p in pictures})))
    return pictures


def _names(groups: Mapping[str, Panel], place: int) -> dict[str, Badness]:
    worst: dict[str, Badness] = {}
    for group in groups.values():
        for key, point in group.points.items():
            worst[key[place]] = max(worst.get(key[place], NOTHING), (point.failed, point.share))
    return worst


def _picture(groups: Mapping[str, Panel], direction: str, name: str) -> Picture:
    all_backends, all_formats = _names(groups, 0), _names(groups, 1)
    backends, formats = choose(all_backends, MOST_BACKENDS), choose(all_formats, MOST_FORMATS)
    shown = sorted(groups, key=lambda g: (not groups[g].worst[0], groups[g].rank))[:MOST_GROUPS]
    looks = {b: theme.series_style(i) for i, b in enumerate(backends)}
    entries: list[tuple[str, Look]] = [(b, s.line) for b, s in looks.items()]
    entries.append(("allowed", {"color": theme.INK, "marker": "_", "markersize": 9, "markeredgewidth": 1.4}))
    if any(groups[g].worst[0] for g in shown):
        entries.append(("fails a limit", {"color": theme.FAIL, "marker": "X", "markersize": 7}))
    head = legend_height([text for text, _ in entries]) + 18
    canvas = Canvas(head + ROW * len(shown) + 2)
    canvas.legend(0, LINE / 2, entries)
    width = WIDTH - GAP - 4
    canvas.write(GAP, head - 9, "largest relative error", SMALL, color=theme.MUTED)
    for row, key in enumerate(shown):
        top = head + ROW * row
        canvas.write(0, top + 7, _title(key, groups[key], WIDTH), SMALL, WIDTH, fontweight="bold")
        axes = canvas.axes(GAP, top + 18, width, PANEL, grid="y")
        _panel(axes, groups[key], looks, formats, width)
    caption = (
        f"Largest relative {direction} error of the tensor that is nearest to its limit, against float64, over systems and over blocks that "
        "differ in a number only; the bars beside the points are what is allowed of it, computed from machine "
        "epsilon. Points at 0 are exact, at ∞ not finite."
        + chosen_words(
            [(len(shown), len(groups), "group"), (len(backends), len(all_backends), "backend"), (len(formats), len(all_formats), "format")],
            "failing and heavy ones first",
        )
    )
    return canvas.picture(name, "errors", f"Error against format, {direction}", caption, _alt(groups, shown, direction))


def _title(key: str, group: Panel, room: float) -> str:
    only = next(iter(group.blocks))
    if len(group.blocks) == 1:
        return only
    many = f" ({len(group.blocks)} blocks)"
    return shorten(key, room - extent(many, SMALL) - 8, SMALL) + many


def _panel(axes: Axes, group: Panel, looks: Mapping[str, theme.Style], formats: Sequence[str], width: float) -> None:
    points = {key: p for key, p in group.points.items() if key[0] in looks and key[1] in formats}
    known = [math.log10(v) for p in points.values() for v in (p.error, p.allowed) if v]
    low, high = (min(known), max(known)) if known else (-1.0, 0.0)
    zero, beyond = math.floor(low) - 1.0, math.ceil(high) + 1.0

    def height(value: float | None) -> float:
        return beyond if value is None else math.log10(value) if value > 0 else zero

    for place, (backend, style) in enumerate(looks.items()):
        shift = 0.44 * ((place + 0.5) / len(looks) - 0.5)
        own = [(i + shift, p) for i, f in enumerate(formats) if (p := points.get((backend, f))) is not None]
        axes.plot([x for x, _ in own], [height(p.error) for _, p in own], markersize=3.6, linewidth=1, **style.line)
        bars = [(x, math.log10(p.allowed)) for x, p in own if p.allowed]
        axes.plot([x for x, _ in bars], [y for _, y in bars], color=theme.INK, marker="_", markersize=7, markeredgewidth=1.2, linestyle="none")
        bad = [(x, height(p.error)) for x, p in own if p.failed]
        look: Look = {"marker": "X", "markersize": 7, "markeredgecolor": theme.PAPER, "markeredgewidth": 0.6, "linestyle": "none", "zorder": 4}
        axes.plot([x for x, _ in bad], [y for _, y in bad], color=theme.FAIL, **look)
    exact, lost = any(p.error == 0 for p in points.values()), any(p.error is None for p in points.values())
    axes.set_ylim(zero - 0.4 if exact else low - 0.4, beyond + 0.4 if lost else high + 0.5)
    axes.set_xlim(-0.5, len(formats) - 0.5)
    decades(axes, "y", low - 0.4, high + 0.5)
    marks = [(float(t), power(round(t))) for t in axes.get_yticks()] + [(zero, "0")] * exact + [(beyond, "∞")] * lost
    ticks(axes, "y", [place for place, _ in marks], [word for _, word in marks])
    size = TINY if len(formats) <= 5 else TINY - 2
    axes.set_xticks(range(len(formats)), [shorten(short_format(f), width / len(formats) - 1, size) for f in formats], fontsize=size)


def _alt(groups: Mapping[str, Panel], shown: Sequence[str], direction: str) -> str:
    text = f"{counted(len(shown), 'panel')}, {direction} error against format."
    failed = [key for key in shown if groups[key].worst[0]]
    if failed:
        return f"{text} Failing: {', '.join(failed)}."
    key = max(shown, key=lambda k: groups[k].worst)
    return f"{text} None fails; nearest to what is allowed is {key}, at {groups[key].worst[1]:.2f} of it."
