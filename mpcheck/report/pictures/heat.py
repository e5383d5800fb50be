"""Block by format: the worst error of every field over what is allowed, one picture a backend."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.lines import Line2D
from matplotlib.patches import PathPatch
from matplotlib.path import Path

from mpcheck._text import counted, one_line
from mpcheck.records.document import Records
from mpcheck.report.pictures import theme
from mpcheck.report.pictures.base import Picture
from mpcheck.report.pictures.canvas import LINE, SMALL, TINY, WIDTH, Canvas
from mpcheck.report.pictures.rows import MOST_BACKENDS, MOST_FORMATS, Field, RatioGrid, choose, chosen_words, grid
from mpcheck.report.pictures.words import extent, share_words, shorten, slug

BOUNDS = (0.25, 0.5, 0.75, 1.0, 1.5, 3.0)
"""Between the seven shades; the limit, 1, is where they turn from cold to warm."""
MOST_BLOCKS = 60
ROW, FOOT = 17.0, 48.0
LEAST_ROOM, MOST_ROOM = 84.0, 172.0  # for the blocks' names
SLANT = 8  # letters of a format's name from which on the names stand slanted


def shade(share: float) -> int:
    """Which of the seven shades a ratio in units of its limit has."""
    return sum(share > bound for bound in BOUNDS)


def heat_maps(run: Records) -> list[Picture]:
    """One picture a backend; none where there are no cells."""
    table, pictures = grid(run), list[Picture]()
    blocks, formats, backends = (
        choose(names, most) for names, most in ((table.blocks, MOST_BLOCKS), (table.formats, MOST_FORMATS), (table.backends, MOST_BACKENDS))
    )
    left_out = chosen_words(
        [(len(blocks), len(table.blocks), "block"), (len(formats), len(table.formats), "format"), (len(backends), len(table.backends), "backend")],
        "those with the largest ratios",
    )
    for backend in backends:
        name = slug("heat", backend, taken={p.name for p in pictures})
        pictures.append(_map(table, name, backend, blocks, formats, left_out))
    return pictures


def _map(table: RatioGrid, name: str, backend: str, blocks: Sequence[str], formats: Sequence[str], left_out: str) -> Picture:
    room = min(MOST_ROOM, max(LEAST_ROOM, *(extent(one_line(b), SMALL) + 4 for b in blocks)))
    slanted = max(len(f) for f in formats) > SLANT or len(formats) > 5
    head = min(64.0, 14 + 0.6 * max(extent(shorten(f, 90, SMALL), SMALL) for f in formats)) if slanted else 18.0
    canvas = Canvas(head + ROW * len(blocks) + FOOT)
    step = (WIDTH - room - (22 if slanted else 2)) / len(formats)
    for i, fmt in enumerate(formats):
        place = room + step * (i + 0.5)
        if slanted:
            canvas.write(place - 4, head - 5, fmt, SMALL, 90, rotation=38, ha="left", va="bottom", rotation_mode="anchor", color=theme.MUTED)
        else:
            canvas.write(place, head - 9, fmt, SMALL, step + 4, ha="center", color=theme.MUTED)
    boxes: dict[int, list[tuple[float, float]]] = {}
    failed: list[tuple[float, float]] = []
    for row, block in enumerate(blocks):
        top = head + ROW * row
        canvas.write(0, top + ROW / 2, block, SMALL, room - 4)
        for i, fmt in enumerate(formats):
            one, left = table.fields.get((block, backend, fmt), Field()), room + step * i
            if one.ran and one.badness[1] >= 0:
                boxes.setdefault(shade(one.badness[1]), []).append((left, top))
            if one.badness[0]:
                failed.append((left, top))
            _number(canvas, one, left, top, step)
    for heat, corners in sorted(boxes.items()):
        canvas.sheet.add_patch(PathPatch(_boxes(corners, step), facecolor=theme.HEAT[heat], edgecolor="none", zorder=0.5))
    if failed:
        canvas.sheet.add_patch(PathPatch(_boxes(failed, step), facecolor="none", edgecolor=theme.FAIL, linewidth=1.6, zorder=0.6))
    _key(canvas, head + ROW * len(blocks) + 6, room, bool(failed), any(f.degraded for k, f in table.fields.items() if k[1] == backend))
    return canvas.picture(name, "ratios", f"Error ÷ allowed error, {backend}", _caption(bool(failed), left_out), _alt(table, backend))


def _boxes(corners: Sequence[tuple[float, float]], step: float) -> Path:
    """All fields of one shade as one shape: a picture of many fields stays small."""
    right, low = step - 1.5, ROW - 1.5
    return Path.make_compound_path(*(Path([(x, y), (x + right, y), (x + right, y + low), (x, y + low), (x, y)], closed=True) for x, y in corners))


def _number(canvas: Canvas, one: Field, left: float, top: float, step: float) -> None:
    middle, height = left + (step - 1.5) / 2, top + (ROW - 1.5) / 2
    size = SMALL if step > 45 else TINY - 1 if step < 34 else TINY
    if not one.ran:
        canvas.write(middle, height, "–", size, ha="center", color=theme.MUTED)
        return
    text = share_words(one.badness[1]) if one.badness[1] >= 0 else "" if one.badness[0] else "ok"
    text += "~" if one.degraded else ""
    if one.badness[0]:
        canvas.write(middle, height, f"✕ {text}".strip(), size, ha="center", fontweight="bold")
    else:
        canvas.write(middle, height, text, size, ha="center")


def _key(canvas: Canvas, top: float, left: float, failed: bool, degraded: bool) -> None:
    """The shades and the signs in words."""
    step = (WIDTH - left - 12) / len(theme.HEAT)
    for i, colour in enumerate(theme.HEAT):
        canvas.sheet.add_patch(PathPatch(_boxes([(left + step * i, top)], step + 1.5), facecolor=colour, edgecolor="none"))
    for i, bound in enumerate(BOUNDS, 1):
        canvas.write(left + step * i, top + ROW + 5, f"{bound:g}", TINY, ha="center", fontweight="bold" if bound == 1 else "normal")
    limit = left + step * (BOUNDS.index(1.0) + 1)
    canvas.sheet.add_line(Line2D([limit, limit], [top - 2, top + ROW], color=theme.INK, linewidth=1.4))
    canvas.write(0, top + ROW / 2, "error ÷ allowed", TINY, left - 4, color=theme.MUTED)
    signs = ["– did not run", *(["✕ fails"] if failed else []), *(["~ another kernel ran"] if degraded else []), "1 is what is allowed"]
    canvas.write(0, top + ROW + LINE + 6, " · ".join(signs), TINY, color=theme.MUTED)


def _caption(failed: bool, left_out: str) -> str:
    text = "The worst error of every block in every format over systems, directions and tensors, over what is allowed of that tensor: 1 is the limit."
    if failed:
        text += " A cross and a frame mark what fails."
    return text + left_out


def _alt(table: RatioGrid, backend: str) -> str:
    own = {key: f for key, f in table.fields.items() if key[1] == backend}
    ran = [f for f in own.values() if f.ran]
    text = f"Table of {counted(len(own), 'field')} of backend {backend}: {counted(sum(f.badness[0] for f in ran), 'field')} failed, {len(ran):,} ran."
    key = max(own, key=lambda k: own[k].badness)
    if own[key].badness[1] < 0:
        return text
    share = "not finite" if math.isinf(own[key].badness[1]) else f"{own[key].badness[1]:.2f} of its limit"
    return f"{text} The worst is {key[0]} in {key[2]}, {share}: {own[key].where}."
