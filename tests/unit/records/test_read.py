"""Records of any sessions, read back: recognised by content, of one model and device."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mpcheck._errors import InputError
from mpcheck.records.document import write_records
from mpcheck.records.read import read_document, read_results
from mpcheck.records.record import Record
from tests.unit.records.small import ENVIRONMENT, cell, findings, quantity, run


def test_a_directory_holds_every_session(tmp_path: Path) -> None:
    write_records(tmp_path / "audit.json", findings("audit", Record(check="dtypes", subject="model", verdict="pass")))
    write_records(tmp_path / "precision.json", run(cell()))
    found = read_results([tmp_path])
    assert list(found.documents) == ["precision", "audit"] and [i.session for i in found.items] == ["precision", "audit"]
    assert found.verdict == "PASS" and found.documents.keys() == {"precision", "audit"}


def test_what_sessions_write_beside_their_records_is_passed_over(tmp_path: Path) -> None:
    write_records(tmp_path / "precision.json", run(cell()))
    for name in ("pytest-benchmark.json", "bench-figures.json"):
        (tmp_path / name).write_text('{"machine_info": {}}', encoding="utf-8")
    found = read_results(sorted(tmp_path.glob("*.json")))
    assert [p.name for p in found.passed_over] == ["bench-figures.json", "pytest-benchmark.json"] and len(found.items) == 1
    with pytest.raises(InputError, match=r"no records to read: .*bench-figures"):
        read_results([tmp_path / "bench-figures.json"])


def test_the_innermost_block_is_told_first() -> None:
    bad = quantity("out", 9.0, failures=("rms",))
    outer = cell("interactions.0", "fail", block="composite", quantities=[quantity("out", 90.0, failures=("rms",))])
    inner = cell("interactions.0.linear", "fail", quantities=[bad])
    from mpcheck.records.read import Results

    found = Results({"precision": run(outer, inner)})
    assert [i.subject for i in found.failures] == ["interactions.0.linear", "interactions.0"] and found.verdict == "FAIL"


def test_nothing_judged_is_no_pass() -> None:
    from mpcheck.records.read import Results

    assert Results({"precision": run(cell(verdict="unsupported"))}).verdict == "NOTHING JUDGED"
    profiled = findings("profile", Record(check="profile", subject="model", verdict="pass"))
    assert Results({"profile": profiled}).verdict == "NOTHING JUDGED"


def test_a_golden_value_that_differs_is_red() -> None:
    from mpcheck.records.read import Results

    row = {"system": "builtin:water", "name": "products.0:out", "rms": 9.0, "max": 9.0, "limit": 2.0, "failure": "changed by 9"}
    found = Results({"precision": run(cell(), golden=[row])})
    (failure,) = found.failures
    assert (failure.check, failure.subject, failure.variant, found.verdict) == ("golden", "products.0", "out", "FAIL")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model": {"name": "other", "digest": "e"}}, "different models"),
        ({"environment": ENVIRONMENT | {"device_slug": "cuda-y"}}, "different devices"),
    ],
)
def test_records_that_do_not_belong_together(change: dict[str, Any], said: str, tmp_path: Path) -> None:
    write_records(tmp_path / "precision.json", run(cell()))
    write_records(tmp_path / "audit.json", findings("audit", Record(check="dtypes", subject="model", verdict="pass"), **change))
    with pytest.raises(InputError, match=said) as error:
        read_results([tmp_path])
    assert "\n" not in str(error.value) and "audit.json" in str(error.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"suite": "precision", "schema_version": 4}', "schema_version is 4"),
        ('{"suite": "laundry", "schema_version": 1}', "field suite is 'laundry'"),
        ('{"suite": "precision", "schema_version": true}', "schema_version is True"),
        ("[]", "an object of fields expected"),
        ('{"suite": "precision"', "not valid JSON"),
        ('{"suite": "precision", "schema_version": 2, "cells": NaN}', "NaN"),
        ('{"suite": "audit", "schema_version": 2, "findings": []}', "field mpcheck"),
    ],
)
def test_what_is_no_record(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=said) as error:
        read_document(path)
    assert "\n" not in str(error.value) and str(path) in str(error.value)


def test_missing_places(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no records in"):
        read_results([tmp_path])
    with pytest.raises(InputError, match="does not exist"):
        read_results([tmp_path / "absent.json"])


def test_reading_needs_no_torch(tmp_path: Path) -> None:
    """A job that only reads records, such as the one that comments on a pull request, need not install it."""
    write_records(tmp_path / "precision.json", run(cell()))
    code = (
        "import sys\nfrom pathlib import Path\nfrom mpcheck.records.read import read_results\nfrom mpcheck.records.reproduce import reproduce\n"
        f"r = read_results([Path({str(tmp_path)!r})])\nassert r.items\nassert not {{'torch', 'matplotlib', 'numpy'}} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_second_record_of_a_session_must_be_a_part_of_it(tmp_path: Path) -> None:
    write_records(tmp_path / "one.json", run(cell("a")))
    write_records(tmp_path / "two.json", run(cell("b"), options={"device": "cpu", "seed": 1}))
    with pytest.raises(InputError, match="seed"):
        read_results([tmp_path / "one.json", tmp_path / "two.json"])
    text = json.loads((tmp_path / "two.json").read_text(encoding="utf-8"))
    text["options"]["seed"] = 0
    (tmp_path / "two.json").write_text(json.dumps(text), encoding="utf-8")
    found = read_results([tmp_path / "one.json", tmp_path / "two.json"])
    assert [c.subject for c in found.documents["precision"].records] == ["a", "b"]
