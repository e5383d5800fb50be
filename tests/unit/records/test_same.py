"""What two runs are, and how they differ themselves."""

from __future__ import annotations

from mpcheck.records.document import JudgedSystem
from mpcheck.records.same import documents_differ, heads_differ, label
from tests.unit.record_samples import WATER, cell, finding, findings, results, run


def test_equal_runs_differ_in_nothing_and_a_cache_is_no_difference() -> None:
    base, head = results(run(cell(), options={"cache": "/a"})), results(run(cell(), options={"cache": "/b"}))
    assert heads_differ(base, head) == []


def test_every_difference_is_a_line() -> None:
    base = results(run(cell()), findings("audit", finding(check="dtypes")))
    head = results(run(cell(), env={"packages": {"torch": "9"}, "threads": 4, "device_slug": "cuda", "device_name": "GPU"}))
    assert heads_differ(base, head) == [
        "different devices: Test CPU and GPU", "versions: torch 2.13.0 -> 9", "threads: 1 -> 4", "audit: only the base has it",
    ]  # fmt: skip


def test_options_and_structures_are_named() -> None:
    ours = run(cell(), options={"formats": ["tf32"]})
    theirs = run(cell()).model_copy(update={"systems": [JudgedSystem.model_validate(WATER | {"digest": "x"})]})
    assert documents_differ(ours, theirs) == ["option formats: tf32 -> default", "builtin:water is another structure in the head"]


def test_a_run_is_called_by_its_files_and_commit() -> None:
    assert label(results(run(cell()), where="here")) == "here/precision.json (commit abc123)"
    assert label(results(run(cell(), env={"commit": ""}), where="here")) == "here/precision.json"
