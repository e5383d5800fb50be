"""Names beside marks that overlap neither each other nor the marks."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mpcheck.report.pictures.words import extent

Box = tuple[float, float, float, float]
"""Left, top, right, bottom, pixels."""
NEAR, STEP, FARTHEST, TURNS = 5.0, 6.0, 48.0, 16
CLEAR = 1.0  # pixels between two labels
BOLD = 1.12  # how much wider bold letters are


@dataclass(frozen=True)
class Placed:
    """Where a label goes: its left end and the middle of its height; and a line to its mark, where it lies apart from it."""

    x: float
    y: float
    leader: tuple[tuple[float, float], tuple[float, float]] | None


class Labels:
    """Places labels one after another, each at the nearest free place."""

    def __init__(self, area: Box, marks: Sequence[tuple[float, float]], size: float, mark: float = 3.0) -> None:
        """Args:
        area: that labels stay inside. marks: centres. size: of the font. mark: half the width of a mark.
        """
        self.area, self.size = area, size
        self.taken: list[Box] = [(x - mark, y - mark, x + mark, y + mark) for x, y in marks]

    def keep_free(self, box: Box) -> None:
        """Put no label there."""
        self.taken.append(box)

    def put(self, mark: tuple[float, float], text: str) -> Placed | None:
        """A place for a mark's label; None where there is none near enough."""
        wide, high = BOLD * extent(text, self.size), 1.2 * self.size
        for distance, x, y in self._around(mark, wide, high):
            box = (x, y - high / 2, x + wide, y + high / 2)
            if self._free(box):
                self.taken.append((box[0] - CLEAR, box[1] - CLEAR, box[2] + CLEAR, box[3] + CLEAR))
                end = (min(max(mark[0], box[0]), box[2]), min(max(mark[1], box[1]), box[3]))
                return Placed(x, y, (mark, end) if distance > NEAR + STEP else None)
        return None

    def _around(self, mark: tuple[float, float], wide: float, high: float) -> Iterator[tuple[float, float, float]]:
        """Left ends and middles of boxes around a mark, the nearest first; to the right before other sides."""
        distance = NEAR
        while distance <= FARTHEST:
            for turn in range(TURNS):
                angle = 2 * math.pi * ((turn + 1) // 2) / TURNS * (1 if turn % 2 else -1)
                x, y = mark[0] + distance * math.cos(angle), mark[1] - distance * math.sin(angle)
                left = x - wide * (0.5 - 0.5 * math.cos(angle))
                yield distance, left, y - 0.5 * high * math.sin(angle)
            distance += STEP

    def _free(self, box: Box) -> bool:
        inside = self.area[0] <= box[0] and box[2] <= self.area[2] and self.area[1] <= box[1] and box[3] <= self.area[3]
        return inside and not any(overlap(box, other) for other in self.taken)


def overlap(a: Box, b: Box) -> bool:
    """Whether two boxes share a point of their insides."""
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
