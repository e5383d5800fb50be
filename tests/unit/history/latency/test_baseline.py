"""Stored latencies: come back as written, refuse what is damaged or foreign, compare only like with like, loosen only with a reason."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mpcheck._errors import InputError
from mpcheck.bench.figures import BenchFigures
from mpcheck.history.latency.baseline import BenchBaseline, bench_path, provenance_of, read_baseline, stored_for, write_baseline
from tests.unit.bench_samples import LINEAR, MODEL, SLUG, baseline, figures

NOW = "2026-03-01T00:00:00+00:00"


def written(path: Path, b: BenchBaseline) -> dict[str, Any]:
    write_baseline(path, b)
    data: dict[str, Any] = json.loads(path.read_text())
    return data


def test_comes_back_as_it_was_written(tmp_path: Path) -> None:
    path = bench_path(tmp_path, SLUG)
    before = baseline(origins={LINEAR: {"commit": "b", "date": NOW}})
    write_baseline(path, before)
    after = read_baseline(path)
    assert after is not None
    assert after.model_dump(exclude={"cells"}) == before.model_dump(exclude={"cells"})
    assert after.cells.keys() == before.cells.keys()
    for cell, f in after.cells.items():
        for a, b in zip(f.launches, before.cells[cell].launches, strict=True):
            assert a.quantiles == pytest.approx(b.quantiles, rel=1e-5)
            assert a.normalised == pytest.approx(b.normalised, rel=1e-5)
    first = path.read_text()
    write_baseline(path, after)
    assert path.read_text() == first
    assert sum(line.lstrip().startswith('"builtin:water*') for line in first.splitlines()) == 3  # two cells, a line each, and an origin


def test_missing_is_none(tmp_path: Path) -> None:
    assert read_baseline(bench_path(tmp_path, SLUG)) is None


def _launch(data: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = data["cells"][LINEAR]["launches"][0]
    return found


DAMAGES: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "future": (lambda d: d.update(schema_version=2), "schema_version is 2, this mpcheck reads 1"),
    "true for 1": (lambda d: d.update(schema_version=True), "schema_version is True"),
    "foreign": (lambda d: d.update(suite="precision"), "suite is 'precision', expected 'bench'"),
    "no suite": (lambda d: d.pop("suite"), "no field suite"),
    "unknown field": (lambda d: d.update(sesonds=1), "field sesonds"),
    "missing field": (lambda d: d.pop("device"), "field device"),
    "no cells": (lambda d: d.update(cells={}), "field cells"),
    "no launches": (lambda d: d["cells"][LINEAR].update(launches=[]), "launches"),
    "zero seconds": (lambda d: _launch(d).update(first_call=0.0), "first_call"),
    "negative seconds": (lambda d: _launch(d)["quantiles"].__setitem__(0, -1.0), r"quantiles\.0"),
    "text for a number": (lambda d: _launch(d).update(first_call="1"), "first_call"),
    "order": (lambda d: _launch(d)["quantiles"].reverse(), "not in ascending order"),
    "four quantiles": (lambda d: _launch(d)["quantiles"].pop(), "quantiles"),
    "negative energy": (lambda d: _launch(d).update(joules=-1.0), "joules"),
    "no rounds": (lambda d: _launch(d).update(rounds=0), "rounds"),
    "no date": (lambda d: d["provenance"].update(date="yesterday"), "provenance.date"),
    "no offset": (lambda d: d["provenance"].update(date="2026-01-31"), "provenance.date"),
    "path for a slug": (lambda d: d["device"].update(slug="../../etc"), r"device\.slug"),
    "stranger's origin": (lambda d: d.update(origins={"x": {"commit": "a", "date": NOW}}), "origins.x"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_fields_are_named(damage: str, tmp_path: Path) -> None:
    path = tmp_path / "bench.json"
    data = written(path, baseline())
    change, expected = DAMAGES[damage]
    change(data)
    path.write_text(json.dumps(data))
    with pytest.raises(InputError, match=expected) as refusal:
        read_baseline(path)
    message = str(refusal.value)
    assert str(path) in message
    assert "\n" not in message
    assert "restore it from version control" in message


def test_damaged_texts_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "bench.json"
    write_baseline(path, baseline())
    text = path.read_text()
    first = re.search(r'"first_call":([0-9.e-]+)', text)
    assert first is not None
    for bad, expected in {
        text[: len(text) // 2]: "not valid JSON",
        "": "not valid JSON",
        "[1]": "object of fields",
        text.replace(first[0], '"first_call":NaN', 1): "NaN is not a number",
        text.replace(first[0], '"first_call":1e999', 1): "1e999 is not a finite number",
        text.replace('"rounds":20', '"rounds":20,"rounds":21', 1): "rounds occurs twice",
        text.replace(f'"{MODEL}"', f'"{LINEAR}"', 1): "occurs twice",
    }.items():
        assert bad != text
        path.write_text(bad)
        with pytest.raises(InputError, match=expected) as refusal:
            read_baseline(path)
        assert str(path) in str(refusal.value)


def test_no_file_of_that_kind(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="directory"):
        read_baseline(tmp_path)
    with pytest.raises(InputError, match="directory"):
        write_baseline(tmp_path, baseline())
    huge = tmp_path / "bench.json"
    with huge.open("wb") as stream:
        stream.truncate((64 << 20) + 1)  # sparse: nothing is written
    with pytest.raises(InputError, match="larger than 64 MiB"):
        read_baseline(huge)
    huge.write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="UTF-8"):
        read_baseline(huge)


def test_not_a_number_cannot_be_stored() -> None:
    launch = figures(1.0).launches[0]
    with pytest.raises(ValueError, match="joules"):
        baseline({LINEAR: BenchFigures(launches=[launch.model_copy(update={"joules": float("nan")})])})


def test_stored_for_the_same_and_for_something_else(tmp_path: Path) -> None:
    path, b = tmp_path / "bench.json", baseline()
    assert stored_for(path, b.device, b.model.digest, b.systems, b.options)[0] is None
    write_baseline(path, b)
    found, reason = stored_for(path, b.device, b.model.digest, {**b.systems, "new.xyz": "n"}, b.options)
    assert found is not None
    assert not reason
    for arguments, named in (
        (("e" * 64, b.systems, b.options), "another model is stored"),
        ((b.model.digest, {"builtin:water": "v"}, b.options), "system builtin:water is another structure"),
        ((b.model.digest, b.systems, {"seed": 1, "l2": True}), "option seed 0 stored, 1 here"),
        ((b.model.digest, b.systems, {"seed": 0}), "option l2 True stored, None here"),
    ):
        found, reason = stored_for(path, b.device, *arguments)
        assert found is None
        assert named in reason


def test_provenance_counts_what_was_measured() -> None:
    found = provenance_of({LINEAR: figures(1.0, launches=2), MODEL: figures(1.0, launches=5)}, "why")
    assert (found.launches, found.rounds, found.reason) == (5, 20, "why")
