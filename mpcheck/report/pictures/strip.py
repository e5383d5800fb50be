"""What every session concluded, in one small picture for the top of a page."""

from __future__ import annotations

from collections import Counter

from matplotlib.patches import Rectangle

from mpcheck.records.read import Results
from mpcheck.report.pictures import theme
from mpcheck.report.pictures.base import Picture
from mpcheck.report.pictures.canvas import SMALL, WIDTH, Canvas

ROW, LEFT = 20.0, 62.0
BAR = 84.0
LEAST = 4.0  # pixels of a verdict that occurs at all
HATCH = {"fail": "xxxxx", "pass": "", "other": "/////"}
COLOURS = {"fail": theme.FAIL, "pass": theme.PASS, "other": theme.MUTED}


def verdict_strip(results: Results) -> list[Picture]:
    """A bar a session: what failed, what passed, and what came to no verdict."""
    by_session: dict[str, Counter[str]] = {session: Counter() for session in results.documents}
    for item in results.items:
        by_session[item.session]["fail" if item.failed else "pass" if item.verdict == "pass" else "other"] += 1
    if not by_session:
        return []
    canvas, words = Canvas(ROW * len(by_session) + 2), []
    for row, (session, counts) in enumerate(by_session.items()):
        middle = ROW * (row + 0.5)
        told = [f"{counts[v]:,} {w}" for v, w in (("fail", "failed"), ("pass", "passed"), ("other", "no verdict")) if counts[v]]
        words.append(f"{session}: {', '.join(told) or 'nothing judged'}")
        canvas.write(0, middle, session, SMALL, LEFT - 4, fontweight="bold" if counts["fail"] else "normal")
        _bar(canvas, counts, middle)
        canvas.write(LEFT + BAR + 8, middle, " · ".join(told) or "nothing judged", SMALL, WIDTH - LEFT - BAR - 8)
    caption = (
        "Conclusions of every session. Crossed: failed; plain: passed; hatched: no verdict (not supported here, not decided, known fault "
        "of upstream)."
    )
    return [canvas.picture("verdicts", "ratios", "Verdicts by session", caption, "; ".join(words) + ".")]


def _bar(canvas: Canvas, counts: Counter[str], middle: float) -> None:
    """Lengths by number; what occurs is seen even where it is one of thousands."""
    total = sum(counts.values())
    wide = {v: max(LEAST, BAR * counts[v] / total) for v in COLOURS if counts[v]}
    left, scale = LEFT, BAR / max(BAR, sum(wide.values()))
    for verdict, width in wide.items():
        canvas.sheet.add_patch(
            Rectangle((left, middle - 5), width * scale - 1, 10, facecolor=COLOURS[verdict], edgecolor=theme.PAPER, hatch=HATCH[verdict], linewidth=0)
        )
        left += width * scale
