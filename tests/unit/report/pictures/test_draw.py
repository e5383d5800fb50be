"""All pictures of a report, in its order."""

from __future__ import annotations

from mpcheck.report.pictures.canvas import settings
from mpcheck.report.pictures.draw import draw
from tests.unit.report.pictures.samples import full, results, timings


def test_pictures_of_both_sessions_need_both() -> None:
    with settings():
        cells, timed, both = (draw(found, []) for found in (results(full()), results((), timings()), results(full(), timings())))
    assert [p.section for p in cells] == ["ratios"] * 3 + ["errors"] * 2
    assert [p.section for p in timed] == ["ratios", "latency", "latency"]
    assert [p.section for p in both] == ["ratios"] * 3 + ["errors"] * 2 + ["speed"] + ["latency"] * 2
