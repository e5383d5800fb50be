"""Distributions of call times."""

from __future__ import annotations

from mpcheck.report.pictures.canvas import settings
from mpcheck.report.pictures.distributions import distribution_pictures
from tests.unit.report.pictures.samples import texts


def test_a_work_and_format_has_a_picture_with_every_backends_median() -> None:
    with settings():
        drawn = distribution_pictures({("float32", "energy"): {"e3nn": [3e-3, 1e-3, 2e-3], "cueq": [4e-3]}, ("float64", "energy"): {"e3nn": [1.0]}})
    assert [p.name for p in drawn] == ["calls-energy-float32", "calls-energy-float64"]
    assert {"e3nn: median 2 ms, 3 calls", "cueq: median 4 ms, 1 call"} <= {*texts(drawn[0])}
    assert drawn[0].alt == "e3nn: median 2 ms, 3 calls; cueq: median 4 ms, 1 call."
