"""Median and range of every benchmark's calls."""

from __future__ import annotations

from mpcheck.report.pictures.canvas import settings
from mpcheck.report.pictures.ranges import Sample, range_pictures
from tests.unit.report.pictures.samples import texts


def test_a_system_has_a_picture_of_each_direction_and_what_was_not_timed_none() -> None:
    samples = [
        Sample("water*1", "model", "energy", "e3nn float32", [2e-3, 1e-3, 3e-3]), Sample("water*1", "a", "forward", "cueq float32", [4e-3]),
        Sample("water*1", "model", "energy+forces", "e3nn float32", [5e-3]), Sample("slab*2", "model", "energy", "e3nn float32", []),
    ]  # fmt: skip
    with settings():
        drawn = range_pictures(samples)
        assert range_pictures(samples[3:]) == []
    assert [(p.name, p.title) for p in drawn] == [
        ("latency-water-1", "water*1: energy, forward"), ("latency-water-1-backward", "water*1: energy+forces"),
    ]  # fmt: skip
    assert {"model", "a", "e3nn float32", "cueq float32"} <= {*texts(drawn[0])}
    assert "model e3nn float32 2 ms" in drawn[0].alt and "2 benchmarks" in drawn[0].alt
