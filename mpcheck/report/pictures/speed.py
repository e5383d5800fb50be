"""Speed against accuracy: what a block gains in another format or backend, and what it pays in error."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes

from mpcheck._names import PRECISION, REFERENCE_BACKEND, WHOLE
from mpcheck._text import one_line
from mpcheck.formats import FLOAT32
from mpcheck.records.document import Records
from mpcheck.records.policy_figures import WholeModel
from mpcheck.report.pictures import theme
from mpcheck.report.pictures.base import Picture
from mpcheck.report.pictures.canvas import LINE, SMALL, TINY, WIDTH, Canvas, Look, decades, legend_height, ticks
from mpcheck.report.pictures.rows import MOST_BACKENDS, MOST_FORMATS, chosen_words, positive
from mpcheck.report.pictures.words import extent, milliseconds, short_format, shorten

MODEL = "model"
USUAL = (REFERENCE_BACKEND, FLOAT32.name)
"""Backend and format that latencies are compared with, where they were measured."""
MOST_PANELS, MOST_ROWS = 8, 20
PANEL, GAP, ROW = 120.0, 36.0, 20.0


@dataclass(frozen=True)
class Timed:
    """One subject in one backend and format.

    Attributes:
        latency: over that of the reference; error: the largest relative one; None where precision has none. 0 is exact.
    """

    backend: str
    format: str
    latency: float
    error: float | None


@dataclass(frozen=True)
class Subject:
    """A block or the model, slowest work of the records.

    Attributes:
        reference: which backend and format the latencies are relative to; ms: its latency, milliseconds.
    """

    name: str
    work: str
    reference: tuple[str, str]
    ms: float
    points: list[Timed]


def _errors(run: Records) -> dict[tuple[str, str, str, str], float]:
    """Largest relative error by block, backend, format and direction; of the whole model, under :data:`MODEL`, that of its forces."""
    errors: dict[tuple[str, str, str, str], float] = {}
    for cell in run.of(PRECISION):
        for q in cell.quantities:
            error = math.inf if q.max_rel is None else q.max_rel
            key = (cell.subject, cell.backend, cell.format, cell.variant)
            errors[key] = max(errors.get(key, 0.0), error)
    for record in run.of(WHOLE):
        if isinstance(record.detail, WholeModel) and record.detail.force_relative is not None:
            errors[MODEL, record.backend, record.format, "forward"] = record.detail.force_relative
    return errors


def subjects(run: Records, bench: Records) -> list[Subject]:
    """What was timed and judged: the model first, then blocks, slowest first."""
    errors, times = _errors(run), dict[str, dict[tuple[str, str], dict[tuple[str, str], float]]]()
    for finding in bench.records:
        ms = positive(finding, "median_ms")
        if finding.check == "latency" and ms is not None:
            times.setdefault(finding.subject, {}).setdefault((finding.where, finding.variant), {})[finding.backend, finding.format] = ms
    timed: list[Subject] = []
    for name, works in times.items():
        (system, variant), measured = max(works.items(), key=lambda pair: (len(pair[1]), max(pair[1].values())))
        reference = USUAL if USUAL in measured else max(measured, key=lambda k: measured[k])
        directions = ("forward", "backward") if "+" in variant else ("forward",)
        points = []
        for (backend, fmt), ms in measured.items():
            known = [e for d in directions if (e := errors.get((name, backend, fmt, d))) is not None]
            points.append(Timed(backend, fmt, ms / measured[reference], max(known, default=None)))
        if any(p.error is not None for p in points):
            timed.append(Subject(name, f"{system}, {variant}", reference, measured[reference], points))
    return sorted(timed, key=lambda s: (s.name != MODEL, -s.ms))


def speed_pictures(run: Records, bench: Records) -> list[Picture]:
    """One picture: panels where several formats were timed, else rows; none where nothing was both timed and judged."""
    timed = subjects(run, bench)
    if not timed:
        return []
    points = [p for s in timed for p in s.points]
    all_backends, all_formats = list(dict.fromkeys(p.backend for p in points)), list(dict.fromkeys(p.format for p in points))
    backends, formats = all_backends[:MOST_BACKENDS], all_formats[:MOST_FORMATS]
    looks = {b: theme.series_style(i) for i, b in enumerate(backends)}
    single = len(all_formats) == 1
    shown = timed[: MOST_ROWS if single else MOST_PANELS]
    entries: list[tuple[str, Look]] = [(b, s.line) for b, s in looks.items()]
    top = legend_height(backends) + (4 if single else 18)
    canvas = Canvas(top + (ROW * len(shown) + 46 if single else (PANEL + 28) * -(-len(shown) // 2)))
    canvas.legend(0, LINE / 2, entries)
    (_rows if single else _panels)(canvas, top, shown, looks, formats)
    drawn = [(len(shown), len(timed), "benchmark"), (len(backends), len(all_backends), "backend"), (len(formats), len(all_formats), "format")]
    caption = (
        f"Latency of one call, relative to that of {' '.join(USUAL)} where it was timed and else to the slowest, against the largest relative error. "
        + (f"Only {all_formats[0]} was timed, so backends are compared. " if single else "Faster is down, more accurate is left. ")
        + ("The model's error is that of its forces, all components together." if timed[0].name == MODEL else "")
        + chosen_words(drawn, "slowest first")
    )
    return [canvas.picture("speed", "speed", "Speed against accuracy", caption, _alt(shown))]


def _span(values: Sequence[float], least: float) -> tuple[float, float]:
    """Limits of an axis around values, with some room, never narrower than ``least``."""
    low, high = min(values, default=0.0), max(values, default=0.0)
    room = max(0.12 * (high - low), (least - (high - low)) / 2)
    return low - room, high + room


def _doublings(axes: Axes, axis: str, low: float, high: float) -> None:
    """Ticks at powers of two, ``1/4``, ``1``, ``8``, along an axis of binary logarithms."""
    first, last = math.ceil(low), math.floor(high)
    step = max(1, math.ceil((last - first) / 5))
    places = [p for p in range(first, last + 1) if p % step == 0]
    ticks(axes, axis, places, [f"{2**p}" if p >= 0 else f"1/{2**-p}" for p in places])


def _panels(canvas: Canvas, top: float, shown: Sequence[Subject], looks: Mapping[str, theme.Style], formats: Sequence[str]) -> None:
    width = (WIDTH - 2 * GAP - 8) / 2
    canvas.write(0, top - 9, "up: latency, relative · right: largest relative error", SMALL, color=theme.MUTED)
    for place, subject in enumerate(shown):
        left, above = GAP + (place % 2) * (width + GAP), top + (place // 2) * (PANEL + 28)
        points = [p for p in subject.points if p.backend in looks and p.format in formats and p.error is not None and not math.isinf(p.error)]
        canvas.write(left - 30, above + 7, subject.name, SMALL, width + 26, fontweight="bold")
        axes = canvas.axes(left, above + 18, width, PANEL - 18)
        logs = [math.log10(p.error) for p in points if p.error]
        exact = math.floor(min(logs, default=-16.0)) - 1.0
        x = {id(p): math.log10(p.error) if p.error else exact for p in points}
        (low, high), (down, up) = _span(list(x.values()), 2.0), _span([0.0, *(math.log2(p.latency) for p in points)], 1.0)
        axes.axhline(0.0, color=theme.MUTED, linewidth=0.8, linestyle=(0, (4, 2)))
        for backend, style in looks.items():
            own = sorted((p for p in points if p.backend == backend), key=lambda p: x[id(p)])
            xs, ys = [x[id(p)] for p in own], [math.log2(p.latency) for p in own]
            axes.plot(xs, ys, linewidth=0.9, markersize=4.5, **style.line)
            for p, across, height in zip(own, xs, ys, strict=True):
                right = across > (low + high) / 2
                axes.annotate(
                    shorten(short_format(p.format), 40, TINY - 1), (across, height), (-4 if right else 4, 4), textcoords="offset points",
                    fontsize=TINY - 1, color=style.colour, ha="right" if right else "left",
                )  # fmt: skip
        axes.set_xlim(low - 0.2, high + 0.2)
        axes.set_ylim(down, up + 0.2)
        decades(axes, "x", min(logs, default=-1.0), high, 3)
        if any(p.error == 0 for p in points):
            here = [float(t) for t in axes.get_xticks()]
            ticks(axes, "x", [exact, *here], ["0", *(t.get_text() for t in axes.get_xticklabels())])
        _doublings(axes, "y", down, up + 0.2)


def _rows(canvas: Canvas, top: float, shown: Sequence[Subject], looks: Mapping[str, theme.Style], formats: Sequence[str]) -> None:
    room = min(172.0, max(extent(one_line(s.name), SMALL) for s in shown) + 6)
    width = (WIDTH - room - 34) / 2
    height = ROW * len(shown)
    sides = [canvas.axes(room + i * (width + 24), top + 18, width, height, grid="x") for i in range(2)]
    for i, words in enumerate(("latency, relative", "largest relative error")):
        canvas.write(room + i * (width + 24), top + 9, words, SMALL, color=theme.MUTED)
    points = [(row, p) for row, s in enumerate(shown) for p in s.points if p.backend in looks]
    latencies = _span([0.0, *(math.log2(p.latency) for _, p in points)], 2.0)
    logs = [math.log10(p.error) for _, p in points if p.error and not math.isinf(p.error)]
    low, high = _span(logs, 2.0)
    for row, subject in enumerate(shown):
        canvas.write(0, top + 18 + ROW * (row + 0.5) - 4, subject.name, SMALL, room - 6, fontweight="bold" if subject.name == MODEL else "normal")
        canvas.write(0, top + 18 + ROW * (row + 0.5) + 5, milliseconds(subject.ms), TINY - 1, color=theme.MUTED)
    for place, (backend, style) in enumerate(looks.items()):
        shift = 0.3 * ((place + 0.5) / len(looks) - 0.5)
        for row, p in points:
            if p.backend == backend:
                heights = [row + shift]
                sides[0].plot([math.log2(p.latency)], heights, markersize=4.5, **style.point)
                if p.error is not None:
                    sides[1].plot([high if math.isinf(p.error) else math.log10(p.error) if p.error else low], heights, markersize=4.5, **style.point)
    sides[0].axvline(0.0, color=theme.MUTED, linewidth=0.8, linestyle=(0, (4, 2)))
    for axes, limits in zip(sides, (latencies, (low, high)), strict=True):
        axes.set_xlim(*limits)
        axes.set_ylim(len(shown) - 0.5, -0.5)
        axes.set_yticks([])
    _doublings(sides[0], "x", *latencies)
    decades(sides[1], "x", low, high, 4)


def _alt(shown: Sequence[Subject]) -> str:
    first = shown[0]
    told = [
        f"{p.backend} {p.format}: {p.latency:.2f} times the latency" + (f", largest relative error {p.error:.1e}" if p.error is not None else "")
        for p in first.points[:8]
    ]
    return f"{first.name} ({first.work}), reference {' '.join(first.reference)} at {milliseconds(first.ms)}. {'; '.join(told)}."
