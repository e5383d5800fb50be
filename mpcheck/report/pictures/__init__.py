"""Pictures of a gate's records, as SVG that a page can hold: readable in light and dark, on a phone, and without colour.

matplotlib is imported where pictures are drawn, not before: what only reads records need not have it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mpcheck.records.read import Results
from mpcheck.report.pictures.base import Picture, Section
from mpcheck.report.pictures.svg import standalone, write_pictures

if TYPE_CHECKING:
    from mpcheck.history.gates import GateEntry


def pictures(results: Results, history: Sequence[GateEntry] = ()) -> list[Picture]:
    """Every picture that the records have something for, in the order of a report. Equal records give equal pictures.

    Args:
        history: of earlier gates on this device, oldest first.
    """
    from mpcheck.report.pictures.canvas import settings
    from mpcheck.report.pictures.draw import draw

    with settings():
        return draw(results, history)


__all__ = ["Picture", "Section", "pictures", "standalone", "write_pictures"]
