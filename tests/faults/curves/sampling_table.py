"""Faults in some rows, as a section of Markdown and as a picture."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mpcheck._files.io import atomic_path
from tests.faults.curves.picture import INK, MARKERS
from tests.faults.curves.sampling_records import Confined, Row

WAYS = {
    "every": "every row judged", "scattered": "sample, rows wrong by what is in them", "at_full": "check of every row",
    "by_number": "whole model, rows wrong by their number",
}  # fmt: skip


def share_of(row: Row) -> str:
    """In words."""
    return f"{100 * row.share:g} %" if row.share else "one"


def size_text(size: float | None) -> str:
    """Two digits; a dash for none."""
    return "–" if size is None else f"{float(f'{size:.2g}'):,g}"


def beside(row: Row, size: float | None, met: float = 1.0) -> str:
    """A size, how far it lies from that where every row is judged, and of how many faults the sample has a row, where not of all."""
    moved = ""
    if size and row.every:
        factor = size / row.every
        moved = f" (× {size_text(factor)})" if factor > 2 else f" ({factor - 1:+.0%})".replace("-", "−").replace("%", " %")
    return size_text(size) + moved + (f", met {met:.0%}".replace("%", " %") if met < 1 else "")


def markdown(found: Confined) -> str:
    """The section."""
    lines = [
        f"{found.model['name']} on {found.system} ({found.atoms:,} atoms, {found.edges:,} edges), e3nn, forward, "
        f"{found.environment.get('device_name', '')}. To the numbers of some rows of a block's result normal deviates of so many noise scales are "
        "added. Given is the size from which on half of such faults are seen, in noise scales of the rows that are wrong: where every row is judged "
        "(`--rows all`); in the sample, where rows are wrong by what is in them, by chance or by chance among those of one pair of elements or one "
        "element; by the check of every row at full size, of rows by chance and of rows in one piece, wrong by their number; of these in the whole "
        "model in three orders. In brackets: beside every row. Met: faults of which the sample has a row. A dash: never half of them.",
        "",
        "| block | format | rows | in the sample | wrong rows | every row | sample, by chance | sample, of a kind "
        "| check of every row | the same, by number | whole model, by number |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in found.rows:
        cells = [f"`{row.block}`", row.format, f"{row.rows:,}", f"{row.sampled:,}", share_of(row), size_text(row.every)]
        cells += [beside(row, row.scattered, row.met), beside(row, row.of_a_kind, row.met_of_a_kind)]
        cells += [beside(row, row.at_full), beside(row, row.by_number_at_full), beside(row, row.by_number)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _line(axes: Axes, rows: Sequence[Row], way: str, style: int) -> None:
    points = [(row.share or 1 / row.rows, size) for row in rows if (size := getattr(row, way)) is not None]
    if points:
        x, y = zip(*sorted(points), strict=True)
        axes.plot(
            x, y, marker=MARKERS[style], color=INK[style], markersize=4, linewidth=1.0, linestyle=("-", "--", "-.", ":")[style], label=WAYS[way]
        )


def draw(found: Confined) -> Figure:
    """A panel for each block and format: size at which half are seen against the share of rows that are wrong."""
    blocks, formats = (list(dict.fromkeys(getattr(row, name) for row in found.rows)) for name in ("block", "format"))
    figure = Figure(figsize=(2.5 * max(2, len(blocks)), 2.6 * len(formats)), dpi=130, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(len(formats), len(blocks), sharex=True, sharey=True, squeeze=False)
    for line, fmt in zip(panels, formats, strict=True):
        for axes, block in zip(line, blocks, strict=True):
            own = [row for row in found.rows if (row.block, row.format) == (block, fmt)]
            for style, way in enumerate(WAYS):
                _line(axes, own, way, style)
            axes.set(xscale="log", yscale="log")
            axes.set_title(f"{block}, {fmt}", fontsize=7, loc="left")
            axes.tick_params(labelsize=7)
            axes.grid(linewidth=0.3, alpha=0.5)
    for column in panels.T:
        measured = [axes for axes in column if axes.lines]
        for axes in column:
            axes.set_visible(bool(axes.lines))
        measured[-1].set_xlabel("share of rows that are wrong", fontsize=7)
        measured[-1].tick_params(labelbottom=True)
    for line in panels:
        line[0].set_ylabel("half are seen from, noise scales", fontsize=7)
    panels[0][0].legend(fontsize=6, frameon=False)
    return figure


def write_picture(path: Path, found: Confined) -> None:
    """Draw into a PNG file, atomically.

    Raises:
        InputError: the directory cannot be written.
    """
    stream = io.BytesIO()
    draw(found).savefig(stream, format="png")
    with atomic_path(path) as temporary:
        temporary.write_bytes(stream.getvalue())
