"""Pictures of a profile: own time of every block, distributions of call times, e3nn against the other backends over size."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from mpcheck._files.io import atomic_path
from mpcheck._text import picture
from mpcheck.records.document import Records
from mpcheck.records.names import SWEEP
from mpcheck.records.record import Record
from mpcheck.sessions.profile.tables import maps, number, of_check

DRAWN = 0.01  # share of the end-to-end time from which on a block has a bar of its own
ROW = 0.26  # inches
Samples = Mapping[tuple[str, str], Mapping[str, Sequence[float]]]
"""Seconds of calls by (format, work) and backend."""

# Okabe and Ito's palette; hatches and line styles say the same without colour
PARTS = (
    ("forward, kernels", "#0072b2", ""), ("forward, overhead", "#56b4e9", "////"),
    ("backward, kernels", "#d55e00", "...."), ("backward, overhead", "#e69f00", "xxxx"),
)  # fmt: skip
LINES: tuple[tuple[str, Literal["-", "--", ":", "-."], str], ...] = (
    ("#0072b2", "-", "o"), ("#d55e00", "--", "s"), ("#009e73", ":", "^"), ("#cc79a7", "-.", "D"),
)  # fmt: skip


def _figure(width: float, height: float) -> Figure:
    figure = Figure(figsize=(width, height), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _plain(axes: Axes) -> None:
    axes.tick_params(labelsize=7)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def parts_of(f: Record, cpu: bool) -> list[float]:
    """Four stacked pieces of a block's own host time, ms: kernels and overhead, forward and backward.

    On a GPU kernels run beside the host, so that nothing of the host's time is theirs.
    """
    found = []
    for host, device in (("host_ms", "device_ms"), ("backward_host_ms", "backward_device_ms")):
        kernels = min(number(f, device), number(f, host)) if cpu else 0.0
        found += [kernels, number(f, host) - kernels]
    return found


def draw_blocks(run: Records, system: str, fmt: str, work: str) -> Figure:
    """One row a block, one panel a backend on its own scale; blocks below 1 % in every backend share one row."""
    cpu = not str(run.environment.device).startswith("cuda")
    chosen = {backend: rows for (s, f, w, backend), rows in maps(run).items() if (s, f, w) == (system, fmt, work)}
    order = list(dict.fromkeys(f.subject for rows in chosen.values() for f in rows))
    large = {f.subject for rows in chosen.values() for f in rows if number(f, "share") >= DRAWN}
    names = [name for name in order if name in large]
    small = [name for name in order if name not in large]
    labels = [picture(name) for name in names] + ([f"{len(small)} smaller"] if small else [])
    figure = _figure(2.6 + 3.4 * len(chosen), 1.5 + ROW * len(labels))
    panels = figure.subplots(1, len(chosen), sharey=True, squeeze=False)[0]
    for axes, (backend, rows) in zip(panels, chosen.items(), strict=True):
        pieces = {f.subject: parts_of(f, cpu) for f in rows}
        bars = [pieces.get(name, [0.0] * 4) for name in names]
        if small:
            bars.append([sum(pieces[n][i] for n in small if n in pieces) for i in range(4)])
        left = np.zeros(len(bars))
        for (_, colour, hatch), widths in zip(PARTS, np.array(bars).T, strict=True):
            axes.barh(range(len(bars)), widths, left=left, color=colour, hatch=hatch, edgecolor="white", linewidth=0.3, height=0.75)
            left += widths
        if not cpu:
            device = {f.subject: number(f, "device_ms") + number(f, "backward_device_ms") for f in rows}
            places = [device.get(n, 0.0) for n in names] + ([sum(device.get(n, 0.0) for n in small)] if small else [])
            axes.plot(places, range(len(places)), linestyle="", marker="D", markersize=3.5, color="black")
        for place, total in enumerate(left):
            axes.annotate(f"{total:.2f}", (total, place), xytext=(3, 0), textcoords="offset points", va="center", fontsize=6.5)
        axes.set_xlim(right=1.12 * max(float(left.max()), axes.get_xlim()[1] / 1.05))
        axes.set_title(f"{picture(backend)}: {number(rows[0], 'end_to_end_ms'):.1f} ms, {picture(rows[0].figures['bound'])}", fontsize=8, loc="left")
        axes.set_xlabel("own host time of one call, ms (own scale)", fontsize=8)
        axes.grid(axis="x", linewidth=0.3, alpha=0.5)
        axes.set_axisbelow(True)
        _plain(axes)
    panels[0].set_yticks(range(len(labels)), labels)
    panels[0].set_ylim(len(labels) - 0.5, -0.5)
    backward = any(number(f, "backward_host_ms") for rows in chosen.values() for f in rows)
    shown = [p for i, p in enumerate(PARTS) if (cpu or i % 2) and (backward or i < 2)]
    handles: list[Patch | Line2D] = [Patch(facecolor=c, hatch=h, edgecolor="white", label=label) for label, c, h in shown]
    if not cpu:
        handles.append(Line2D([], [], linestyle="", marker="D", markersize=4, color="black", label="kernels on the GPU"))
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), fontsize=7, frameon=False)
    figure.suptitle(", ".join(map(picture, (run.model.name, work, fmt, system, run.environment.device_name))), fontsize=9, x=0.01, ha="left")
    return figure


def draw_latency(run: Records, samples: Samples) -> Figure:
    """Empirical distributions of the seconds of one call, one panel for each work and format, one line a backend."""
    figure = _figure(1.0 + 3.4 * len(samples), 3.0)
    panels = figure.subplots(1, len(samples), sharey=True, squeeze=False)[0]
    for axes, ((fmt, work), by_backend) in zip(panels, samples.items(), strict=True):
        for (backend, seconds), (colour, style, _) in zip(by_backend.items(), LINES * len(by_backend), strict=False):
            ms = np.sort(np.asarray(seconds)) * 1e3
            label = f"{picture(backend)}: median {np.median(ms):.1f} ms, {len(ms)} calls"
            axes.step(ms, (np.arange(len(ms)) + 1) / len(ms), where="post", color=colour, linestyle=style, linewidth=1.6, label=label)
        _readable_log(axes)
        axes.set_title(f"{picture(work)}, {picture(fmt)}", fontsize=8, loc="left")
        axes.set_xlabel("time of one call, ms", fontsize=8)
        axes.set_ylim(0, 1.02)
        axes.grid(linewidth=0.3, alpha=0.5)
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), fontsize=7, frameon=False)
        _plain(axes)
    panels[0].set_ylabel("share of calls that took no longer", fontsize=8)
    figure.suptitle(f"{picture(run.model.name)} on {picture(run.environment.device_name)}", fontsize=9, x=0.01, ha="left")
    return figure


def _readable_log(axes: Axes, vertical: bool = False) -> None:
    """A logarithmic axis with ticks at 1, 2 and 5 times powers of ten, in plain numbers."""
    (axes.set_yscale if vertical else axes.set_xscale)("log")
    low, high = axes.get_ylim() if vertical else axes.get_xlim()
    axis = axes.yaxis if vertical else axes.xaxis
    ticks = [m * 10.0**e for e in range(-4, 7) for m in (1, 2, 5)]
    inside = [t for t in ticks if low <= t <= high]
    if len(inside) < 2:
        inside = [round(float(t), 2) for t in np.geomspace(low, high, 4)[1:3]]
    axis.set_major_locator(FixedLocator(inside))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def draw_sweep(run: Records) -> Figure:
    """Left: time of one call over the batch size, for every angular order and backend. Right: speed-up against e3nn with its interval."""
    points = of_check(run, SWEEP)
    orders = sorted({int(number(f, "l_max")) for f in points})
    batches = sorted({int(number(f, "batch")) for f in points})
    backends = list(dict.fromkeys(f.backend for f in points))
    figure = _figure(8.2, 3.6)
    times, gains = figure.subplots(1, 2)
    for place, order in enumerate(orders):
        colour, _, marker = LINES[place % len(LINES)]
        for number_, backend in enumerate(backends):
            own = sorted((f for f in points if number(f, "l_max") == order and f.backend == backend), key=lambda f: number(f, "batch"))
            x = [batches.index(int(number(f, "batch"))) for f in own]
            y = np.array([number(f, "median_ms") for f in own])
            spread = [y - [number(f, "q25_ms") for f in own], [number(f, "q75_ms") for f in own] - y]
            style, face = LINES[number_ % len(LINES)][1], colour if number_ == 0 else "white"
            times.errorbar(x, y, yerr=np.abs(spread), color=colour, linestyle=style, marker=marker, markersize=5, markerfacecolor=face, capsize=2)
            faster = [(p, f) for p, f in zip(x, own, strict=True) if "speedup" in f.figures]
            if faster:
                at = [p + 0.06 * (place - (len(orders) - 1) / 2) for p, _ in faster]
                ratio = np.array([number(f, "speedup") for _, f in faster])
                around = [ratio - [number(f, "speedup_low") for _, f in faster], [number(f, "speedup_high") for _, f in faster] - ratio]
                gains.errorbar(
                    at, ratio, yerr=np.abs(around), color=colour, linestyle=style, marker=marker, markersize=5, markerfacecolor=face, capsize=2
                )
    for axes, label in ((times, "median of one call, ms"), (gains, "speed-up on e3nn")):
        axes.set_xticks(range(len(batches)), [str(b) for b in batches])
        axes.set_xlim(-0.3, len(batches) - 0.7)
        axes.set_xlabel("batch size", fontsize=8)
        axes.set_ylabel(label, fontsize=8)
        axes.grid(axis="y", linewidth=0.3, alpha=0.5)
        _plain(axes)
    _readable_log(times, vertical=True)
    gains.axhline(1.0, color="black", linewidth=0.8)
    gains.set_ylim(bottom=0)
    handles = [Line2D([], [], color=LINES[i % 4][0], marker=LINES[i % 4][2], linestyle="", label=f"l_max = {o}") for i, o in enumerate(orders)]
    for i, b in enumerate(backends):
        handles.append(
            Line2D([], [], color="black", linestyle=LINES[i % 4][1], marker="o", markerfacecolor="black" if i == 0 else "white", label=picture(b))
        )
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), fontsize=7, frameon=False)
    figure.suptitle(f"energy+forces, 16x0e + 16x1o, two layers, on {picture(run.environment.device_name)}", fontsize=9, x=0.01, ha="left")
    return figure


def pictures(run: Records, samples: Samples) -> dict[str, Callable[[], Figure]]:
    """What there is to draw of a run, by file name without suffix."""
    found: dict[str, Callable[[], Figure]] = {}
    seen = list(dict.fromkeys((s, f, w) for s, f, w, _ in maps(run)))
    for system, fmt, work in seen:
        name = "-".join(["profile", work.replace("+", "-"), *([fmt] if len({f for _, f, _ in seen}) > 1 else [])])
        place = [s for s, f, w in seen if (f, w) == (fmt, work)].index(system)
        found[name + (f"-{place + 1}" if place else "")] = lambda s=system, f=fmt, w=work: draw_blocks(run, s, f, w)  # type: ignore[misc]
    if samples:
        found["profile-latency"] = lambda: draw_latency(run, samples)
    if of_check(run, SWEEP):
        found["profile-sweep"] = lambda: draw_sweep(run)
    return found


def write_pictures(directory: Path, run: Records, samples: Samples) -> list[Path]:
    """Draw everything as PNG and SVG, atomically.

    Raises:
        InputError: the directory cannot be written.
    """
    written = []
    for name, draw in pictures(run, samples).items():
        figure = draw()
        for suffix in ("png", "svg"):
            stream = io.BytesIO()
            figure.savefig(stream, format=suffix)
            path = directory / f"{name}.{suffix}"
            with atomic_path(path) as temporary:
                temporary.write_bytes(stream.getvalue())
            written.append(path)
    return written
