"""Own time of every block in one call of the model, in a bar of four pieces, one picture a backend on its own scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.patches import Rectangle

from mpcheck._text import one_line
from mpcheck.records.record import Record
from mpcheck.report.pictures import theme
from mpcheck.report.pictures.base import Picture
from mpcheck.report.pictures.canvas import LINE, SMALL, TINY, WIDTH, Canvas
from mpcheck.report.pictures.rows import number
from mpcheck.report.pictures.words import extent, slug

DRAWN = 0.01  # share of the end-to-end time from which on a block has a bar of its own
ROW, FOOT, FIGURE = 17.0, 32.0, 36.0
LABEL = 170.0  # pixels for the blocks' names, at most
KERNELS, OVERHEAD = "", "//////"
PARTS = (
    ("forward, kernels", theme.SERIES[0], KERNELS), ("forward, overhead", theme.SERIES[0], OVERHEAD),
    ("backward, kernels", theme.SERIES[1], KERNELS), ("backward, overhead", theme.SERIES[1], OVERHEAD),
)  # fmt: skip
GPU = "kernels on the GPU"


def figure(finding: Record, name: str) -> float:
    """A figure of a block; 0 where it has none."""
    return number(finding, name) or 0.0


def parts_of(block: Record, cpu: bool) -> list[float]:
    """Four pieces of a block's own host time, ms: kernels and overhead, forward and backward.

    On a GPU kernels run beside the host, so that nothing of the host's time is theirs.
    """
    pieces = []
    for host, device in (("host_ms", "device_ms"), ("backward_host_ms", "backward_device_ms")):
        kernels = min(figure(block, device), figure(block, host)) if cpu else 0.0
        pieces += [kernels, figure(block, host) - kernels]
    return pieces


def block_pictures(chosen: Mapping[str, Sequence[Record]], cpu: bool) -> list[Picture]:
    """A picture a backend; blocks below 1 % in every backend share one row.

    Args:
        chosen: the blocks of one work, by backend. cpu: whether it ran on one.
    """
    order = list(dict.fromkeys(f.subject for rows in chosen.values() for f in rows))
    large = {f.subject for rows in chosen.values() for f in rows if figure(f, "share") >= DRAWN}
    backward = any(figure(f, "backward_host_ms") for rows in chosen.values() for f in rows)
    parts = [i for i in range(len(PARTS)) if (cpu or i % 2) and (backward or i < 2)]
    pictures: list[Picture] = []
    for backend, blocks in chosen.items():
        name = slug("blocks", backend, taken={p.name for p in pictures})
        pictures.append(_picture(name, backend, blocks, [n for n in order if n in large], [n for n in order if n not in large], parts, cpu))
    return pictures


def _picture(
    name: str, backend: str, blocks: Sequence[Record], names: Sequence[str], small: Sequence[str], parts: Sequence[int], cpu: bool
) -> Picture:
    pieces = {f.subject: parts_of(f, cpu) for f in blocks}
    device = {f.subject: figure(f, "device_ms") + figure(f, "backward_device_ms") for f in blocks}
    groups = [(n, [n]) for n in names] + ([(f"{len(small)} smaller", list(small))] if small else [])
    room, top = min(LABEL, max(extent(one_line(label), SMALL) for label, _ in groups) + 8), LINE * 2 + (0 if cpu else LINE) + 2
    canvas = Canvas(top + ROW * len(groups) + FOOT)
    _legend(canvas, parts, cpu)
    axes = canvas.axes(room, top, WIDTH - room - FIGURE, ROW * len(groups), grid="x")
    told, most = list[tuple[float, str]](), 0.0
    for row, (label, members) in enumerate(groups):
        canvas.write(0, top + ROW * (row + 0.5), label, SMALL, room - 6, **({} if members == [label] else {"color": theme.MUTED}))
        left = 0.0
        for i in parts:
            wide = sum(pieces[n][i] for n in members if n in pieces)
            axes.barh([row], [wide], left=[left], height=0.72, color=PARTS[i][1], hatch=PARTS[i][2], edgecolor=theme.PAPER, linewidth=0)
            left += wide
        kernels = sum(device.get(n, 0.0) for n in members)
        if not cpu:
            axes.plot([kernels], [row], linestyle="none", marker="D", markersize=3.5, color=theme.INK)
        most = max(most, left, 0.0 if cpu else kernels)
        told.append((left, label))
        canvas.write(WIDTH, top + ROW * (row + 0.5), f"{left:.2f}", SMALL, ha="right")
    axes.set_xlim(0, 1.03 * most or 1.0)
    axes.set_ylim(len(groups) - 0.5, -0.5)
    axes.set_yticks([])
    axes.locator_params(axis="x", nbins=5)
    canvas.write(room + (WIDTH - room - FIGURE) / 2, canvas.height - 6, "own host time of one call, ms", TINY, ha="center", color=theme.MUTED)
    title = f"{backend}: {figure(blocks[0], 'end_to_end_ms'):.3g} ms a call, {blocks[0].figures['bound']}"
    caption = "Time of every block without the blocks in it, per call of the model while profiled."
    alt = "; ".join(f"{label} {left:.3g} ms" for left, label in sorted(told, reverse=True)[:5])
    return canvas.picture(name, "latency", title, caption, f"{title}. Most: {alt}.")


def _legend(canvas: Canvas, parts: Sequence[int], cpu: bool) -> None:
    """Two columns: what is hatched cannot be shown by the marks of an ordinary legend."""
    for place, i in enumerate(parts):
        label, colour, hatch = PARTS[i]
        left, middle = WIDTH / 2 * (place // 2 if len(parts) > 2 else place), LINE * ((place % 2 if len(parts) > 2 else 0) + 0.5)
        canvas.sheet.add_patch(Rectangle((left, middle - 5), 16, 10, facecolor=colour, hatch=hatch, edgecolor=theme.PAPER, linewidth=0))
        canvas.write(left + 22, middle, label, SMALL)
    if not cpu:
        canvas.legend(0, LINE * 2.5, [(GPU, {"color": theme.INK, "marker": "D", "linestyle": "none"})])
