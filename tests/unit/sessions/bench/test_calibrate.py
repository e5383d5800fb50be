"""Identical code against itself, by the gate's own rules, on launches that are made up."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mpcheck._errors import InputError
from mpcheck.bench.launch.measurement import PAIRED_EFFORT, STORED_EFFORT, Measurement
from mpcheck.bench.launch.paired import PairedMeasurement
from mpcheck.history.latency.aa_rate import read_aa
from mpcheck.sessions.bench import BenchOptions, calibrate
from tests.unit.bench_samples import WOBBLE, launches

BENCHMARK = "builtin:water*1/readouts.1.linear_1-e3nn-float32-forward"
Asked = Callable[..., BenchOptions]


@pytest.fixture
def asked(tmp_path: Path, cache: Path) -> Asked:
    usual = {"systems": ("builtin:water",), "backends": ("e3nn",), "formats": ("float32",), "blocks": ("readouts.1.linear_1",), "works": ("forward",)}
    return lambda **changes: BenchOptions(**{**usual, "cache": cache, "baselines": tmp_path, **changes})


@pytest.mark.parametrize(("factor", "alarms"), [(1.0, 0), (1.2, 1)])
def test_groups_of_launches_are_judged_against_the_first_ones(factor: float, alarms: int, asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    last = STORED_EFFORT.looks[-1]
    made = [*launches(10.0, calibrate.BASE_LAUNCHES), *launches(10.0, last), *launches(10.0 * factor, last)]
    monkeypatch.setattr(calibrate, "run_launches", lambda *_: Measurement({BENCHMARK: made}, processes=len(made), keys=[BENCHMARK]))
    path, rate = calibrate.calibrate("stored", asked(launches=len(made)))
    assert (rate.comparisons, rate.alarms, rate.mode) == (2, alarms, "stored")
    stored = read_aa(path)
    assert stored is not None and stored.of("stored") == rate


def test_pairs_are_judged_group_by_group(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    last = PAIRED_EFFORT.looks[-1]
    effects = [WOBBLE[i % len(WOBBLE)] + (0.2 if i >= last else 0.0) for i in range(2 * last)]
    monkeypatch.setattr(calibrate, "run_paired", lambda *_: PairedMeasurement(differences={BENCHMARK: effects}, pairs=2 * last))
    _, rate = calibrate.calibrate("ab", asked(launches=2 * last))
    assert (rate.comparisons, rate.alarms) == (2, 1)


@pytest.mark.parametrize(
    ("changes", "told"),
    [({"against": "HEAD"}, "compares this environment with itself"), ({"launches": 3}, "--launches 3: calibrating needs at least 16")],
)
def test_what_cannot_be_calibrated_is_one_line(changes: dict[str, Any], told: str, asked: Asked) -> None:
    with pytest.raises(InputError, match=told):
        calibrate.calibrate("stored", asked(**changes))
