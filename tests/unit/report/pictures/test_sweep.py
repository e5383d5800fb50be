"""Backends over size."""

from __future__ import annotations

from mpcheck.report.pictures.canvas import settings
from mpcheck.report.pictures.sweep import sweep_pictures
from tests.unit.accounts import check_record
from tests.unit.report.pictures.samples import texts


def test_every_order_and_backend_has_a_line_and_what_was_not_measured_none() -> None:
    points = [
        check_record(check="sweep", backend=backend, verdict="pass",
                     figures={"l_max": order, "batch": batch, "median_ms": batch * (order + 1.0), **more})
        for backend, more in (("e3nn", {}), ("cueq", {"speedup": 2.0, "speedup_low": 1.5, "speedup_high": 2.5}))
        for order in (1, 2) for batch in (1, 8)
    ]  # fmt: skip
    with settings():
        time, speedup = sweep_pictures(points)
    assert {"l_max 1, e3nn", "l_max 2, e3nn", "l_max 1, cueq", "l_max 2, cueq", "1", "8"} <= {*texts(time)}
    assert "l_max 1, cueq" in texts(speedup) and "l_max 1, e3nn" not in texts(speedup)
    assert "l_max 2, e3nn: 3 at batch 1, 24 at batch 8" in time.alt and speedup.alt.startswith("2 lines. ")
