"""A cell by its limits, with what follows from what its machine lacks and what upstream is known for."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from mpcheck.records.record import Record
from mpcheck.sessions.run import Session
from tests.conftest import SYSTEM


def test_range_is_a_reason_not_a_failure(session: Session, judge: Callable[..., Record]) -> None:
    library = session.check(SYSTEM).library
    reference = library.get("energy_sum")
    library._held = dataclasses.replace(reference, peaks={"forward": 1e6, "backward": 1.0})
    try:
        cell = judge("energy_sum", "float16", "forward")
    finally:
        library._held = None
    assert cell.verdict == "unsupported"
    assert "range" in cell.reason
