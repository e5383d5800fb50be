"""Records of schema version 2 are read as if they had been written today: every id as it was, and their figures typed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mpcheck._errors import InputError
from mpcheck.records.detail import Cost, Latency, ListedFigures, Types
from mpcheck.records.document import records_of
from mpcheck.records.migrate import batched, detail_of
from tests.unit.record_samples import environment

HEAD: dict[str, Any] = {
    "schema_version": 2, "mpcheck": "0.1.0", "environment": environment(host="gone"), "seconds": 1.0, "state": "complete", "plan": [],
    "model": {"name": "m", "digest": "d", "file": "m.model"}, "options": {"shard_rows": {"cells": ["1-2:1"], "golden": ["0-0:1"]}},
    "systems": [{"name": "s", "reference": {"from": "computed", "code": "c"}}],
}  # fmt: skip
CELL = {"block": "a.b", "role": "linear", "kind": "leaf", "backend": "e3nn", "format": "tf32", "accumulation": "wide",
        "direction": "forward", "system": "s", "verdict": "pass",
        "quantities": [{"name": "out", "rms": 0.5, "rms_limit": 2.0, "max": 1.0}]}  # fmt: skip
GOLDEN = {"system": "s", "name": "a.b:out.0", "rms": 3.0, "max": 3.0, "limit": 2.0, "failure": "differs"}


def test_cells_and_golden_values_become_records() -> None:
    document = records_of({**HEAD, "suite": "precision", "cells": [CELL], "golden": [GOLDEN]}, Path("x.json"))
    cell, golden = document.records
    assert (cell.id, cell.ratio, cell.limit, cell.tensors.block) == ("s/a.b-e3nn-tf32-forward", 0.5, 2.0, "leaf")
    assert (golden.id, golden.tensor, golden.verdict, golden.reason) == ("golden:s/a.b-e3nn-float64-out.0", "a.b:out.0", "fail", "differs")
    assert document.model.source == {"file": "m.model"} and document.options["shard_rows"] == {"records": ["1-2:1", "0-0:1"]}
    (system,) = document.systems
    assert system.reference is not None and system.reference.origin == "computed"


def test_findings_become_records_with_typed_figures() -> None:
    rows = [
        {"check": "latency", "subject": "model", "system": "s*4", "verdict": "pass", "metrics": {"median_ms": 2.0}},
        {"check": "cost", "subject": "model", "system": "s*4", "verdict": "pass", "metrics": {"operations": 7}},
        {"check": "latency", "subject": "odd", "verdict": "pass", "metrics": {"median_ms": 2.0, "of an older version": 1.0}},
    ]
    timed, counted, odd = records_of({**HEAD, "suite": "bench", "findings": rows}, Path("x.json")).records
    assert (timed.system, timed.batch, timed.detail) == ("s", 4, Latency(median_ms=2.0)) and isinstance(counted.detail, Cost)
    assert isinstance(odd.detail, ListedFigures) and odd.figures == {"median_ms": 2.0, "of an older version": 1.0}


def test_types_are_told_by_dtype() -> None:
    metrics = {
        "ops": 3.0,
        "multiply-adds": 9.0,
        "casts": 1.0,
        "promotions": 0.0,
        "ops float32 %": 60.0,
        "multiply-adds float32 %": 70.0,
        "casts float32 to float64": 1.0,
    }
    detail = Types.model_validate(detail_of("dtypes", metrics))
    (share,) = detail.shares
    assert (share.dtype, share.operations, share.multiply_adds, detail.cast) == ("float32", 60.0, 70.0, {"float32 to float64": 1.0})


@pytest.mark.parametrize(("text", "batch"), [("s*4", 4), ("s*0", None), ("*4", None), ("s*x", None), ("s", None)])
def test_a_batch_is_a_whole_number_behind_a_star(text: str, batch: int | None) -> None:
    assert batched(text) == ({"system": "s", "batch": batch} if batch else {"system": text})


@pytest.mark.parametrize("rows", [{}, {"cells": 3}, {"findings": ["x"]}, {"cells": [{**CELL, "quantities": [{}]}]}])
def test_what_is_no_record_of_version_2_is_refused_by_its_place(rows: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"records x\.json: field"):
        records_of({**HEAD, "suite": "precision", **rows}, Path("x.json"))
