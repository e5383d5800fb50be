"""All pictures of a report, in its order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from mpcheck._names import COST, PRECISION
from mpcheck.records.read import Results
from mpcheck.report.pictures.base import Picture
from mpcheck.report.pictures.errors import error_pictures
from mpcheck.report.pictures.gates import history_pictures
from mpcheck.report.pictures.heat import heat_maps
from mpcheck.report.pictures.latency import latency_pictures
from mpcheck.report.pictures.speed import speed_pictures
from mpcheck.report.pictures.strip import verdict_strip
from mpcheck.report.showing import showing

if TYPE_CHECKING:
    from mpcheck.history.gates import GateEntry


def draw(results: Results, history: Sequence[GateEntry]) -> list[Picture]:
    """See :func:`mpcheck.report.pictures.pictures`; to be called with matplotlib's settings made."""
    drawn, cells, timed = verdict_strip(results), results.of_check(PRECISION), results.of_check(COST)
    if cells is not None:
        drawn += heat_maps(cells) + error_pictures(cells)
    if cells is not None and timed is not None:
        drawn += speed_pictures(cells, timed)
    if timed is not None:
        drawn += latency_pictures(timed)
    return drawn + own_pictures(results) + history_pictures(history)


def own_pictures(results: Results) -> list[Picture]:
    """What sessions draw that no other has: those whose showing has ``drawn``."""
    found = []
    for document in results.documents.values():
        own = getattr(showing(document), "drawn", None)
        found += [replace(picture, section="own") for picture in own(document)] if own is not None else []
    return found
