"""Distributions of latency, a line a benchmark."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mpcheck._files.io import atomic_path
from mpcheck._text import picture

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")
MARKERS = ("o", "s", "^", "D")
ROW = 0.19  # inches a benchmark


def write_latency_picture(path: Path, model: str, seconds: Mapping[str, Sequence[float]]) -> None:
    """Median and 5 to 95 % range of one call's milliseconds, by benchmark; the format of the picture is the path's suffix.

    Raises:
        InputError: the place cannot be written.
    """
    found: dict[str, dict[str, Sequence[float]]] = {}
    for name, values in seconds.items():
        if values:
            where, _, rest = name.rpartition("/")
            subject, backend, work = rest.partition("-")[0], rest.partition("-")[2].rsplit("-", 1)[0], rest.rsplit("-", 1)[1]
            found.setdefault(f"{subject}  {work}" + (f"  {where}" if len({n.rpartition("/")[0] for n in seconds}) > 1 else ""), {})[backend] = values
    if not found:
        return
    backends = list(dict.fromkeys(b for row in found.values() for b in row))
    figure = Figure(figsize=(8, 1.1 + ROW * len(found)), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for place, backend in enumerate(backends):
        rows = [(i, row[backend]) for i, row in enumerate(found.values()) if backend in row]
        y = np.array([i for i, _ in rows]) + 0.5 * ((place + 0.5) / len(backends) - 0.5)
        low, middle, high = (np.array([1e3 * np.quantile(v, q) for _, v in rows]) for q in (0.05, 0.5, 0.95))
        style = {"color": COLOURS[place % 4], "marker": MARKERS[(place + place // 4) % 4]}  # no two of sixteen alike
        axes.errorbar(
            middle,
            y,
            xerr=[middle - low, high - middle],
            fmt=style["marker"],
            color=style["color"],
            markersize=3,
            linewidth=0.9,
            label=picture(backend, 20),
        )
    axes.set_yticks(range(len(found)), [picture(name, 100) for name in found], fontsize=6)
    axes.set_ylim(len(found) - 0.5, -0.5)
    axes.set_xscale("log")
    axes.set_xlabel("one call, ms: median, 5 to 95 % of rounds", fontsize=8)
    axes.tick_params(axis="x", labelsize=7)
    axes.grid(axis="x", which="both", linewidth=0.3, alpha=0.5)
    figure.legend(loc="outside upper right", ncols=len(backends), fontsize=7, frameon=False)
    figure.suptitle(f"{picture(model)}: latency of every benchmark", fontsize=9, x=0.01, ha="left")
    stream = io.BytesIO()
    figure.savefig(stream, format=path.suffix.removeprefix(".") or "svg")
    with atomic_path(path) as temporary:
        temporary.write_bytes(stream.getvalue())
