"""How the bench session starts: as its suite, or as the measurement of false alarms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mpcheck._errors import InputError
from mpcheck.history.latency.aa_rate import AARate
from mpcheck.sessions import launch
from mpcheck.sessions.bench import SESSION, BenchOptions, calibrate, start

RATE = AARate(commit="c", date="2026-03-01T00:00:00+00:00", mode="ab", comparisons=100, alarms=1, nominal=0.01)


def test_without_a_calibration_it_is_the_suite(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    started = list[tuple[Any, ...]]()
    monkeypatch.setattr(launch, "start", lambda *arguments: started.append(arguments) or 7)
    assert start.start(SESSION, {"calibrate": "", "launches": 3}, tmp_path, 0, True) == 7
    assert started == [(SESSION, {"launches": 3}, tmp_path, 0, True)]


def test_an_unknown_mode_is_refused_before_anything_is_imported(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--calibrate twice: choose stored or ab"):
        start.start(SESSION, {"calibrate": "twice"}, tmp_path)


def test_a_calibration_is_of_the_references_backend_where_none_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = list[tuple[str, BenchOptions]]()
    monkeypatch.setattr(calibrate, "calibrate", lambda mode, options: asked.append((mode, options)) or (tmp_path / "aa.json", RATE))
    assert start.start(SESSION, {"calibrate": "ab", "launches": "30"}, tmp_path) == 0
    ((mode, options),) = asked
    assert (mode, options.backends, options.launches) == ("ab", ("e3nn",), 30)
    told = capsys.readouterr().out
    assert RATE.reason in " ".join(told.split()) and "aa.json" in told
