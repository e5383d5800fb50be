"""What a survey left is put in place, printed, and refused where it is damaged, foreign, of another device, or looser."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mpcheck._files.io import write_text
from mpcheck.cli.main import main
from mpcheck.history.latency.aa_rate import read_aa
from mpcheck.history.latency.baseline import read_baseline as read_latencies
from mpcheck.history.ratios import read_baseline
from mpcheck.records.record import Record
from mpcheck.survey.archive import write_archive
from tests.unit.bench_samples import baseline
from tests.unit.record_samples import findings

SLUG = "cuda-test"
PLACES = {
    "ratios": "parts/ratios/out/baselines/cuda-test/precision.json", "latency": "parts/latency/out/bench-figures.json",
    "false-alarms": "parts/false-alarms/out/baselines/cuda-test/aa.json",
}  # fmt: skip


def figures(**device: Any) -> dict[str, Any]:
    data: dict[str, Any] = baseline().model_dump(mode="json")
    data["device"] |= {"slug": SLUG, **device}
    return data


def ratios(value: float = 0.5, device: str = SLUG) -> dict[str, Any]:
    return {
        "schema_version": 1, "suite": "precision", "device": device, "provenance": {"commit": "abc"}, "model": {"name": "m", "digest": "d"},
        "systems": {"s": "x"}, "seed": 0, "cells": {"s/b-e3nn-float32-forward": {"out": [value, 0.0, 0.0, 0.0]}},
    }  # fmt: skip


def rates() -> dict[str, Any]:
    rate = {"commit": "abc", "date": "2026-01-02T03:04:05+00:00", "mode": "stored", "comparisons": 100, "alarms": 0, "nominal": 0.01}
    return {"schema_version": 1, "suite": "bench-aa", "device": figures()["device"], "rates": [rate]}


def surveyed(home: Path, verdicts: dict[str, str] | None = None, size: str = "full", **texts: str) -> Path:
    home.mkdir(exist_ok=True)
    verdicts = dict.fromkeys(PLACES, "pass") | (verdicts or {})
    rows = [
        Record.model_validate({"check": "part", "subject": name, "verdict": v, "reason": f"why {name}", "key": name}) for name, v in verdicts.items()
    ]
    document = findings("survey", *rows, options={"size": size}, env={"device_slug": SLUG})
    write_text(home / "survey.json", json.dumps(document.model_dump(mode="json")))
    made = {"ratios": json.dumps(ratios()), "latency": json.dumps(figures()), "false-alarms": json.dumps(rates())} | texts
    write_archive(home / "survey.zip", {}, {PLACES[name]: text for name, text in made.items() if text})
    return home


def adopt(home: Path, to: Path, *words: str) -> int:
    return main(["baseline", "adopt", str(home), "--dir", str(to), *words])


def test_everything_is_put_in_place_and_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home, to = surveyed(tmp_path / "survey"), tmp_path / "baselines"
    assert adopt(home, to, "--dry-run") == 0 and not to.exists()
    assert "new baseline with 1 cells" in capsys.readouterr().out
    assert adopt(home, to) == 0
    said = capsys.readouterr().out
    assert "changes of cuda-test" in said and "0 alarms in 100 comparisons" in said and "wrote" in said
    assert sorted(path.name for path in (to / SLUG).glob("[!.]*")) == [
        "aa.json",
        "bench-history.jsonl",
        "bench.json",
        "precision.json",
        "survey.json",
    ]
    kept, timed, rate = read_baseline(to / SLUG / "precision.json"), read_latencies(to / SLUG / "bench.json"), read_aa(to / SLUG / "aa.json")
    assert kept is not None and timed is not None and rate is not None and list(timed.cells) == sorted(baseline().cells)


def test_what_loosens_needs_a_reason_before_anything_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    to = tmp_path / "baselines"
    assert adopt(surveyed(tmp_path / "a"), to) == 0
    before = {path: path.read_bytes() for path in to.rglob("*") if path.is_file()}
    looser = surveyed(tmp_path / "b", ratios=json.dumps(ratios(1.0)))
    assert adopt(looser, to) == 2
    assert "would loosen in 1 entries" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in to.rglob("*") if path.is_file()} == before
    assert adopt(looser, to, "--reason", "a new driver") == 0
    kept = read_baseline(to / SLUG / "precision.json")
    assert kept is not None and kept.provenance["reason"] == "a new driver"


def test_what_did_not_end_green_is_no_baseline(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home, to = surveyed(tmp_path / "survey", {"ratios": "fail", "latency": "degraded"}), tmp_path / "baselines"
    assert adopt(home, to) == 0
    assert sorted(path.name for path in (to / SLUG).iterdir()) == ["aa.json", "survey.json"]
    assert "ratios left nothing to take: fail: why ratios" in capsys.readouterr().out
    none = surveyed(tmp_path / "none", dict.fromkeys(PLACES, "inconclusive"))
    assert adopt(none, tmp_path / "other") == 2 and "left no baseline" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ({"ratios": json.dumps(ratios(device="cuda-other"))}, "it is of cuda-other, the survey of cuda-test"),
        ({"latency": json.dumps(figures(slug="cpu-x"))}, "it is of cpu-x, the survey of cuda-test"),
        ({"latency": json.dumps(figures())[:-40]}, "not valid JSON"), ({"ratios": json.dumps(ratios() | {"suite": "else"})}, "expected 'precision'"),
        ({"false-alarms": json.dumps(rates() | {"rates": [{}]})}, "field rates.0"), ({"size": "toy"}, "toy size"),
    ],
)  # fmt: skip
def test_what_is_damaged_or_foreign_is_refused_in_a_line(
    texts: dict[str, str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    size = texts.pop("size", "full") if "size" in texts else "full"
    home = surveyed(tmp_path / "survey", None, size, **texts)
    assert adopt(home, tmp_path / "baselines") == 2
    told = [line for line in capsys.readouterr().err.splitlines() if line]
    assert len(told) == 1 and said in told[0] and not (tmp_path / "baselines").exists()


def test_no_survey_at_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert adopt(tmp_path, tmp_path / "x") == 2 and "survey.json does not exist" in capsys.readouterr().err
    home = surveyed(tmp_path / "survey")
    (home / "survey.zip").unlink()
    assert adopt(home, tmp_path / "x") == 2 and "survey.zip does not exist" in capsys.readouterr().err
    (home / "survey.json").write_text(json.dumps(findings("audit").model_dump(mode="json")))
    assert adopt(home, tmp_path / "x") == 2 and "no survey's" in capsys.readouterr().err
