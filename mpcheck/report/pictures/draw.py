"""All pictures of a report, in its order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mpcheck._names import PRECISION
from mpcheck.records.read import Results
from mpcheck.report.pictures.base import Picture
from mpcheck.report.pictures.errors import error_pictures
from mpcheck.report.pictures.gates import history_pictures
from mpcheck.report.pictures.heat import heat_maps
from mpcheck.report.pictures.latency import latency_pictures
from mpcheck.report.pictures.speed import speed_pictures
from mpcheck.report.pictures.strip import verdict_strip

if TYPE_CHECKING:
    from mpcheck.history.gates import GateEntry


def draw(results: Results, history: Sequence[GateEntry]) -> list[Picture]:
    """See :func:`mpcheck.report.pictures.pictures`; to be called with matplotlib's settings made."""
    found, run, bench = verdict_strip(results), results.documents.get(PRECISION), results.documents.get("bench")
    if run is not None:
        found += heat_maps(run) + error_pictures(run)
    if run is not None and bench is not None:
        found += speed_pictures(run, bench)
    if bench is not None:
        found += latency_pictures(bench)
    return found + history_pictures(history)
