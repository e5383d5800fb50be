"""Speed against accuracy of whole models: one mark for each policy, backend and variant, and the front that nothing is better than."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from matplotlib.axes import Axes

from mpcheck._text import counted
from mpcheck.report.pictures import theme
from mpcheck.report.pictures.base import Picture
from mpcheck.report.pictures.canvas import LINE, SMALL, TINY, WIDTH, Canvas, Look, decades, legend_height, readable, ticks
from mpcheck.report.pictures.goals import GOAL, GOALS, Quantity, entry
from mpcheck.report.pictures.labels import Labels

WORDS = {"force": ("RMS force error, meV/Å", "meV/Å"), "energy": ("energy error, meV/atom", "meV/atom")}
LEFT, HEIGHT, FOOT = 34.0, 290.0, 40.0
MOST_SERIES = 16
FONT = TINY - 1


@dataclass(frozen=True)
class Mark:
    """One policy, backend and variant.

    Attributes:
        policy, backend, variant: names; no variant is the model as it is.
        speedup: how many times faster than the reference; low, high: its interval. error: in the picture's unit; 0 is exact.
    """

    policy: str
    backend: str
    variant: str
    speedup: float
    low: float
    high: float
    error: float

    @property
    def series(self) -> str:
        """``e3nn +compile``."""
        return f"{self.backend} +{self.variant}" if self.variant else self.backend


def front(marks: Sequence[Mark]) -> list[Mark]:
    """Marks that none is both faster and more accurate than, the most accurate first (Pareto)."""
    best: list[Mark] = []
    for mark in sorted((m for m in marks if math.isfinite(m.error)), key=lambda m: (m.error, -m.speedup)):
        if not best or mark.speedup > best[-1].speedup:
            best.append(mark)
    return best


def pareto_picture(marks: Sequence[Mark], quantity: Quantity, reference: str, machine: str, name: str = "") -> Picture | None:
    """The picture; None of nothing.

    Args:
        reference: what speed-ups are against, ``float64 on e3nn``. machine: what was timed on.
    """
    known = [m for m in marks if m.speedup > 0 and math.isfinite(m.speedup)]
    if not known:
        return None
    series = list(dict.fromkeys(m.series for m in known))[:MOST_SERIES]
    shown = [m for m in known if m.series in series]
    looks = {s: theme.series_style(i) for i, s in enumerate(series)}
    best = front(shown)
    entries: list[tuple[str, Look]] = [(s, look.point) for s, look in looks.items()]
    entries.append(("nothing is faster and as accurate", {"color": theme.INK, "linestyle": "-", "marker": "", "linewidth": 1.2}))
    entries.append(entry(quantity))
    top = legend_height([text for text, _ in entries]) + 18
    canvas = Canvas(top + HEIGHT + FOOT)
    canvas.legend(0, LINE / 2, entries)
    canvas.write(0, top - 9, f"up: times as fast as {reference} · left: more accurate", SMALL, WIDTH, color=theme.MUTED)
    axes = canvas.axes(LEFT, top, WIDTH - LEFT - 6, HEIGHT)
    scale = _Scale.of(shown, quantity)
    _axes(axes, scale, quantity)
    canvas.write(LEFT + (WIDTH - LEFT) / 2, top + HEIGHT + 26, WORDS[quantity][0], SMALL, color=theme.MUTED, ha="center")
    _front(axes, best, scale)
    for mark in shown:
        look, x = looks[mark.series], scale.x(mark)
        axes.plot([x, x], [math.log10(mark.low), math.log10(mark.high)], color=look.colour, linewidth=0.9, solid_capstyle="butt")
        axes.plot([x], [math.log10(mark.speedup)], markersize=4.5, zorder=3, **look.point)
    unnamed = _labels(canvas, axes, shown, best, scale, looks)
    caption = (
        f"Every mark is a policy; speed-ups are against {reference}, measured in turn with it, bars are their 95 % intervals. {_machine(machine)} "
        f"The line joins policies that no other one beats in both; the dashed line is at {GOALS[quantity][1]}."
        + (f" {counted(unnamed, 'name')} had no room: rest on a mark to read it." if unnamed else "")
        + (f" {len(known) - len(shown)} marks of further backends and variants are left out." if len(known) > len(shown) else "")
    )
    title = "Speed against force error" if quantity == "force" else "Speed against energy error"
    return canvas.picture(name or f"pareto-{quantity}", "speed", title, caption, _alt(shown, best, quantity))


def _machine(machine: str) -> str:
    return f"They are those of {machine}." if machine else "They are those of the machine that measured."


@dataclass(frozen=True)
class _Scale:
    """Decimal logarithms that the axes hold, and between which they have decades; errors of 0 stand at ``zero``, those not finite at ``beyond``."""

    low: float
    high: float
    first: float
    last: float
    zero: float
    beyond: float
    down: float
    up: float

    @classmethod
    def of(cls, marks: Sequence[Mark], quantity: Quantity) -> _Scale:
        logs = [math.log10(m.error) for m in marks if 0 < m.error < math.inf] + [math.log10(GOALS[quantity][0])]
        low, high = math.floor(min(logs) - 0.1), math.ceil(max(logs) + 0.1)
        zero, beyond = low - 0.6, high + 0.6
        heights = [math.log10(v) for m in marks for v in (m.low, m.high, m.speedup) if v > 0]
        room = 0.08 * max(max(heights) - min(heights), 0.2)
        exact, lost = any(m.error == 0 for m in marks), any(not math.isfinite(m.error) for m in marks)
        left, right = zero - 0.4 if exact else float(low), beyond + 0.4 if lost else float(high)
        return cls(left, right, float(low), float(high), zero, beyond, min(heights) - room, max(heights) + 1.6 * room)

    def x(self, mark: Mark) -> float:
        return (math.log10(mark.error) if mark.error > 0 else self.zero) if math.isfinite(mark.error) else self.beyond


def _axes(axes: Axes, scale: _Scale, quantity: Quantity) -> None:
    axes.set_xlim(scale.low, scale.high)
    decades(axes, "x", scale.first, scale.last, 7)
    extra = [(scale.zero, "0")] * (scale.zero > scale.low) + [(scale.beyond, "∞")] * (scale.beyond < scale.high)
    here = [(float(t), w.get_text()) for t, w in zip(axes.get_xticks(), axes.get_xticklabels(), strict=True)]
    both = [*here, *extra]
    ticks(axes, "x", [p for p, _ in both], [w for _, w in both])
    readable(axes, "y", scale.down, scale.up)
    axes.axvline(math.log10(GOALS[quantity][0]), **GOAL)
    axes.axhline(0.0, color=theme.MUTED, linewidth=0.8, linestyle=(0, (1, 2)))


def _front(axes: Axes, best: Sequence[Mark], scale: _Scale) -> None:
    """Steps: to the right of a mark, and below it, are policies that it beats."""
    xs, ys = [scale.x(m) for m in best], [math.log10(m.speedup) for m in best]
    if best:
        axes.plot([*xs, scale.high], [*ys, ys[-1]], color=theme.INK, linewidth=1.0, drawstyle="steps-post", alpha=0.55, zorder=1)


def _labels(canvas: Canvas, axes: Axes, shown: Sequence[Mark], best: Sequence[Mark], scale: _Scale, looks: dict[str, theme.Style]) -> int:
    """Names beside marks, those of the front first; how many found no room."""
    box = axes.get_position()
    left, top = box.x0 * canvas.width, (1 - box.y1) * canvas.height
    width, height = box.width * canvas.width, box.height * canvas.height

    def place(mark: Mark) -> tuple[float, float]:
        across = (scale.x(mark) - scale.low) / (scale.high - scale.low)
        along = (math.log10(mark.speedup) - scale.down) / (scale.up - scale.down)
        return left + across * width, top + (1 - along) * height

    labels = Labels((left, top, left + width, top + height), [place(m) for m in shown], FONT)
    for mark in shown:
        ends = [place(replace(mark, speedup=v))[1] for v in (mark.high, mark.low)]
        labels.keep_free((place(mark)[0] - 0.5, ends[0], place(mark)[0] + 0.5, ends[1]))
    unnamed, pixels = 0, canvas.sheet.transData
    for mark in sorted(shown, key=lambda m: (m not in best, m.error, -m.speedup)):
        words, found = mark.policy, labels.put(place(mark), mark.policy)
        tip = f"{mark.policy}, {mark.series}: {mark.speedup:.3g} times as fast, {mark.error:.2g}"
        if found is None:
            unnamed += 1
            here: Look = {"marker": "o", "markersize": 7, "color": theme.PAPER, "alpha": 0.01, "zorder": 5}
            dot = axes.plot([place(mark)[0]], [place(mark)[1]], transform=pixels, **here)[0]
            canvas.tip(dot, tip)
            continue
        if found.leader is not None:
            (x0, y0), (x1, y1) = found.leader
            axes.plot([x0, x1], [y0, y1], color=theme.MUTED, linewidth=0.5, zorder=2, transform=pixels)
        weight = "bold" if mark in best else "normal"
        ground: Look = {"facecolor": theme.PAPER, "edgecolor": "none", "pad": 0.4, "alpha": 0.8}  # lines pass below names
        colour = looks[mark.series].colour
        style: Look = {"fontsize": FONT, "color": colour, "va": "center", "fontweight": weight, "bbox": ground, "transform": pixels, "zorder": 4}
        artist = axes.text(found.x, found.y, words, **style)
        canvas.tip(artist, tip)
    return unnamed


def _alt(shown: Sequence[Mark], best: Sequence[Mark], quantity: Quantity) -> str:
    told = "; ".join(f"{m.policy} on {m.series}: {m.speedup:.3g} times as fast, {m.error:.2g} {WORDS[quantity][1]}" for m in best)
    return f"{counted(len(shown), 'mark')}. On the front, the most accurate first: {told}."
