"""A record: its names, and what it says of its tensors."""

from __future__ import annotations

import math

import pytest

from mpcheck.records.detail import Latency
from mpcheck.records.record import Record, first_changed
from tests.unit.accounts import golden_record
from tests.unit.record_samples import cell, quantity


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"check": "layout", "subject": "a.b", "backend": "e3nn", "format": "float32", "system": "s", "variant": "swapped"},
         "layout:s/a.b-e3nn-float32-swapped"),
        ({"check": "latency", "subject": "a", "system": "s", "batch": 4}, "latency:s*4/a"),
        ({"check": "physics"}, "physics:"),
        ({"check": "precision", "subject": "a", "system": "s", "format": "tf32"}, "s/a-tf32"),
    ],
)  # fmt: skip
def test_an_id_leaves_empty_parts_out_and_that_of_precision_its_check(fields: dict[str, object], name: str) -> None:
    assert Record.model_validate({**fields, "verdict": "pass"}).id == name


def test_a_record_of_tensors_has_the_ratio_of_the_decisive_one() -> None:
    record = cell(quantities=[quantity("small", 0.2), quantity("large", 1.4), quantity("lost", None)])
    assert record.ratio is None and record.limit == 1.5
    assert record.worst_rms == 1.4 and record.share == 0.0
    assert cell(quantities=[quantity("large", 1.4)]).share == pytest.approx(1.4 / 1.5)
    assert Record(check="layout", verdict="fail").share == math.inf, "it failed without a figure"
    assert record.latency == Latency() and record.figures == {}


def test_the_first_changed_block_is_the_first_whose_output_differs() -> None:
    rows = (("a:out", ""), ("b:grad", "differs"), ("c:out.0", "differs"), ("d:out", "differs"))
    golden = [golden_record("s", name, failure) for name, failure in rows]
    assert first_changed(golden) == "c" and first_changed(golden[:2]) == ""


def test_drift_is_said_of_the_tensors_and_nothing_else_changes() -> None:
    record = cell()
    moved = record.drifted("fail", verdict="fail")
    assert (moved.drift, moved.verdict, moved.quantities) == ("fail", "fail", record.quantities) and record.drift == "off"
