"""What is made of an error report."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from mpcheck.policy.judging.errors import ErrorReport, Parity
from mpcheck.records.record import Record
from mpcheck.sessions.policy.judged import _parity


def judged(parity: Parity, energy: float) -> list[Record]:
    predicted: Any = SimpleNamespace(energy_rms=energy)
    return [*_parity(ErrorReport(parity=parity), predicted, {"check": "policy", "subject": "readout-int8w", "system": "builtin:diamond"})]


@pytest.mark.parametrize(
    ("offset", "energy", "verdict"),
    [(39.7, 39.0, "pass"), (39.7, 0.01, "fail"), (5000.0, 39.0, "fail"), (5.0, 0.01, "pass")],
    ids=["equal atoms err alike", "an offset of none", "an atom's whole energy", "within the scatter"],
)
def test_an_atom_less_errs_by_an_atom_less(offset: float, energy: float, verdict: str) -> None:
    """Measured: int8 read-outs on eight atoms of diamond, of which copies lack one."""
    (found,) = judged(Parity(offset, 2.6, odd=8, even=9, atoms=1.0), energy)
    assert found.verdict == verdict and (verdict == "pass") == (not found.reason)


def test_no_parity_of_structures_of_one() -> None:
    assert judged(Parity(None, None, 0, 9), 1.0) == []
