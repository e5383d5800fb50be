"""A cell that cannot be watched is a record that says why."""

from __future__ import annotations

from typing import Any

import pytest

from mpcheck._unsupported import no_device
from mpcheck.checks.audit.cells import ObservedCell, observed_cell
from mpcheck.checks.audit.observing import forget
from mpcheck.judge.context import Key
from mpcheck.records.record import Record
from mpcheck.sessions.run import Session
from tests.conftest import SYSTEM

KEY = Key("accumulation", "scale_shift", "e3nn", "bfloat16", SYSTEM)


def test_a_block_that_runs_is_watched(session: Session) -> None:
    forget(session)
    cell = observed_cell(session, KEY)
    assert isinstance(cell, ObservedCell)
    assert (cell.fmt.name, cell.reference.block.name, cell.base["subject"]) == ("bfloat16", "scale_shift", "scale_shift")
    assert sum(cell.seen.counts.operations.values()) > 0


def test_a_block_that_raises_fails(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    def forward(*args: Any, **named: Any) -> Any:
        raise KeyError("planted")

    forget(session)
    monkeypatch.setattr(session.reference_backend.model.get_submodule("scale_shift"), "forward", forward)
    record = observed_cell(session, KEY)
    forget(session)
    assert isinstance(record, Record) and record.verdict == "fail" and record.reason.startswith("raised KeyError: 'planted'")


def test_a_missing_backend_is_no_failure(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "backend", lambda name: no_device())
    record = observed_cell(session, KEY)
    assert isinstance(record, Record) and (record.verdict, record.lacking) == ("unsupported", "cuda")
