"""Figures of a record, typed by what was measured."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from mpcheck.records.detail import Cost, Latency, figures
from mpcheck.records.record import Record


def test_figures_are_those_that_there_are_without_the_kind() -> None:
    assert Latency(median_ms=2.0, decision="slower").figures == {"median_ms": 2.0, "decision": "slower"}
    assert Cost().figures == {}


def test_plain_figures_keep_their_order_and_what_is_not_finite() -> None:
    listed = figures({"b": 1.0, "a": None, "names": ["x"]})
    assert listed is not None and list(listed.figures.items()) == [("b", 1.0), ("a", None), ("names", ["x"])]
    assert figures({}) is None


def test_the_kind_decides_what_figures_there_may_be() -> None:
    row = {"check": "latency", "verdict": "pass", "detail": {"kind": "cost", "operations": 3}}
    assert isinstance(Record.model_validate(row).detail, Cost)
    with pytest.raises(ValidationError, match="median_ms"):
        Record.model_validate(row | {"detail": {"kind": "cost", "median_ms": 1.0}})
    with pytest.raises(ValidationError, match="kind"):
        Record.model_validate(row | {"detail": {"kind": "another"}})
