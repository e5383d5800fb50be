"""Latency against the baseline: effect and interval of every benchmark that changed; and what a call takes."""

from __future__ import annotations

import math
from dataclasses import dataclass

from matplotlib.axes import Axes

from mpcheck._text import counted, one_line
from mpcheck.records.document import Records
from mpcheck.records.record import Record
from mpcheck.report.pictures import theme
from mpcheck.report.pictures.base import Picture
from mpcheck.report.pictures.canvas import LINE, SMALL, TINY, WIDTH, Canvas, Look, decades, legend_height
from mpcheck.report.pictures.rows import MOST_BACKENDS, chosen_words, number, positive
from mpcheck.report.pictures.words import extent, milliseconds, percent

LATENCY = "latency"
MOST_ROWS, CALM_ROWS = 40, 12
"""Rows at most; and rows down to which unchanged ones are shown beside those that changed."""
LABEL, FIGURES, ROW = 172.0, 78.0, 25.0
ORDER = ("slower", "faster", "inconclusive", "same")
SIGNS = {"slower": ("v", theme.FAIL), "faster": ("^", theme.PASS), "inconclusive": ("D", theme.WARN), "same": ("o", theme.INK)}
WIDEST = 60.0  # percent; what lies beyond is drawn at the edge, its figure beside it


@dataclass(frozen=True)
class Effect:
    """A verdict against the baseline; percent."""

    finding: Record
    decision: str
    effect: float
    low: float
    high: float
    margin: float

    @property
    def rank(self) -> tuple[bool, int, float]:
        """Red ones first, then what changed most."""
        return self.finding.verdict != "fail", ORDER.index(self.decision), -abs(self.effect)


def effects(bench: Records) -> list[Effect]:
    """Benchmarks that were compared, worst first."""
    compared = []
    for finding in bench.records:
        effect, low, high = (number(finding, f"{name}_percent") for name in ("effect", "low", "high"))
        decision = finding.latency.decision
        if effect is not None and low is not None and high is not None and decision in ORDER:
            compared.append(Effect(finding, decision, effect, low, high, 100 * abs(finding.limit - 1) if finding.limit else 0.0))
    return sorted(compared, key=lambda e: e.rank)


def latency_pictures(bench: Records) -> list[Picture]:
    """The forest plot, and milliseconds; each only where there is something to draw."""
    return [*_forest(bench), *_absolute(bench)]


def _where(finding: Record, several: bool) -> str:
    return " ".join(filter(None, (finding.backend, finding.format, finding.variant, finding.where if several else "")))


def _forest(bench: Records) -> list[Picture]:
    compared = effects(bench)
    if not compared:
        return []
    changed = sum(e.decision != "same" for e in compared)
    shown = compared[: min(MOST_ROWS, max(changed, CALM_ROWS))]
    several = len({e.finding.where for e in compared}) > 1
    present = [d for d in ORDER if any(e.decision == d for e in shown)]
    entries = [(d, {"color": SIGNS[d][1], "marker": SIGNS[d][0]}) for d in present]
    top, margin = legend_height(present) + 2, max(e.margin for e in shown)
    canvas = Canvas(top + ROW * len(shown) + 30)
    canvas.legend(0, LINE / 2, entries)
    axes = canvas.axes(LABEL, top, WIDTH - LABEL - FIGURES, ROW * len(shown), grid="x")
    edge = min(WIDEST, 1.1 * max(3 * margin, *(max(abs(e.effect), abs(e.low), abs(e.high)) for e in shown)))
    axes.axvspan(-margin, margin, facecolor=theme.HEAT[1], edgecolor="none", zorder=0)
    axes.axvline(0.0, color=theme.MUTED, linewidth=0.8)
    for row, effect in enumerate(shown):
        middle, red = top + ROW * (row + 0.5), effect.finding.verdict == "fail"
        canvas.write(0, middle - 5, effect.finding.subject, SMALL, LABEL - 8, fontweight="bold" if red else "normal")
        canvas.write(0, middle + 6, _where(effect.finding, several), TINY, LABEL - 8, color=theme.MUTED)
        _interval(axes, effect, row, edge)
        canvas.write(
            WIDTH - FIGURES + 6, middle - 5, f"{percent(effect.effect)} {'✕' if red else ''}".strip(), SMALL, fontweight="bold" if red else "normal"
        )
        canvas.write(WIDTH - FIGURES + 6, middle + 6, f"[{percent(effect.low)[:-2]}, {percent(effect.high)[:-2]}]", TINY, color=theme.MUTED)
    axes.set_xlim(-edge, edge)
    axes.set_ylim(len(shown) - 0.5, -0.5)
    axes.set_yticks([])
    canvas.write(LABEL + (WIDTH - LABEL - FIGURES) / 2, canvas.height - 6, "change of latency, %", TINY, ha="center", color=theme.MUTED)
    counts = ", ".join(f"{n} {d}" for d in ORDER if (n := sum(e.decision == d for e in compared)))
    caption = (
        f"Change of every benchmark's latency against the baseline with its 95 % interval, in percent; the shaded band is the "
        f"margin of {margin:.3g} %. Of {counted(len(compared), 'benchmark')}: {counts}."
        + chosen_words([(len(shown), len(compared), "benchmark")], "what changed and what is undecided first")
    )
    first = shown[0]
    interval = f"{percent(first.effect)} [{percent(first.low)}, {percent(first.high)}]"
    alt = f"{counts}. First: {first.finding.subject} {_where(first.finding, several)}, {interval}."
    return [canvas.picture("latency-change", "latency", "Latency against the baseline", caption, alt)]


def _interval(axes: Axes, effect: Effect, row: int, edge: float) -> None:
    """Point and interval; an arrow's head at the edge where they lie beyond it."""
    marker, colour = SIGNS[effect.decision]
    low, high, middle = (max(-edge, min(edge, v)) for v in (effect.low, effect.high, effect.effect))
    axes.plot([low, high], [row, row], color=colour, linewidth=1.6, solid_capstyle="butt")
    axes.plot([middle], [row], color=colour, marker=marker, markersize=5.5, linestyle="none")
    for end, beyond, head in ((-edge, effect.low < -edge, "<"), (edge, effect.high > edge, ">")):
        if beyond:
            axes.plot([end], [row], color=colour, marker=head, markersize=6, linestyle="none", clip_on=False)


@dataclass(frozen=True)
class Call:
    """What one call of a subject takes by backend (and format, where there are several); milliseconds."""

    subject: str
    work: str
    now: dict[str, float]
    before: dict[str, float]

    @property
    def slowest(self) -> float:
        """Of its series."""
        return max(self.now.values())


def calls(bench: Records) -> list[Call]:
    """The work that takes longest of every subject, slowest subject first; the model before all."""
    timed = [f for f in bench.records if f.check == LATENCY and positive(f, "median_ms") is not None]
    several = len({f.format for f in timed}) > 1
    by_work: dict[tuple[str, str], Call] = {}
    for finding in timed:
        call = by_work.setdefault((finding.subject, f"{finding.where} {finding.variant}"), Call(finding.subject, finding.variant, {}, {}))
        series = f"{finding.backend} {finding.format}" if several else finding.backend
        for name, figures in (("median_ms", call.now), ("base_median_ms", call.before)):
            value = positive(finding, name)
            if value is not None:
                figures[series] = value
    best: dict[str, Call] = {}
    for call in by_work.values():
        if call.subject not in best or call.slowest > best[call.subject].slowest:
            best[call.subject] = call
    return sorted(best.values(), key=lambda c: (c.subject != "model", -c.slowest))


def _absolute(bench: Records) -> list[Picture]:
    timed = calls(bench)
    if not timed:
        return []
    everything = list(dict.fromkeys(name for c in timed for name in c.now))
    series, shown = everything[:MOST_BACKENDS], [c for c in timed if set(c.now) & set(everything[:MOST_BACKENDS])][:MOST_ROWS]
    looks = {name: theme.series_style(i) for i, name in enumerate(series)}
    entries: list[tuple[str, Look]] = [(n, s.point) for n, s in looks.items()]
    based = any(c.before for c in shown)
    entries += [("baseline", {"color": theme.MUTED, "marker": "|", "markersize": 9})] if based else []
    top, room = legend_height([n for n, _ in entries]) + 2, min(LABEL, max(extent(one_line(c.subject), SMALL) for c in shown) + 8)
    canvas = Canvas(top + 17 * len(shown) + 30)
    canvas.legend(0, LINE / 2, entries)
    axes = canvas.axes(room, top, WIDTH - room - 10, 17 * len(shown), grid="x")
    values = [math.log10(v) for c in shown for v in (*c.now.values(), *c.before.values())]
    for row, call in enumerate(shown):
        canvas.write(0, top + 17 * (row + 0.5), call.subject, SMALL, room - 8, fontweight="bold" if call.subject == "model" else "normal")
        for place, (name, style) in enumerate(looks.items()):
            height = row + 0.6 * ((place + 0.5) / len(looks) - 0.5)
            if name in call.before:
                axes.plot(
                    [math.log10(call.before[name])], [height], color=theme.MUTED, marker="|", markersize=7, markeredgewidth=1.3, linestyle="none"
                )
            if name in call.now:
                axes.plot([math.log10(call.now[name])], [height], markersize=4, **style.point)
    low, high = min(values) - 0.15, max(values) + 0.15
    axes.set_xlim(low, high)
    axes.set_ylim(len(shown) - 0.5, -0.5)
    axes.set_yticks([])
    decades(axes, "x", low, high, 6)
    canvas.write(room + (WIDTH - room) / 2, canvas.height - 6, "one call, ms", TINY, ha="center", color=theme.MUTED)
    drawn = [(len(shown), len(timed), "benchmark"), (len(series), len(everything), "series")]
    caption = (
        "Median milliseconds of one call, of the work of each block that takes longest (forward and backward, energy and forces); blocks contain "
        "each other, so they do not add up." + chosen_words(drawn, "slowest first")
    )
    alt = "; ".join(f"{c.subject} ({c.work}): " + ", ".join(f"{n} {milliseconds(v)}" for n, v in c.now.items()) for c in shown[:5])
    return [canvas.picture("latency", "latency", "Milliseconds of one call", caption, f"{counted(len(timed), 'subject')}. {alt}.")]
