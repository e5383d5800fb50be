"""A tensor that turns and is not declared to is reported."""

from __future__ import annotations

import pytest

from mpcheck.adapters import blocks
from mpcheck.checks.symmetry import invariance
from mpcheck.sessions.run import Session
from tests.conftest import SYSTEM


def test_an_undeclared_vector_is_reported_not_passed(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    assert invariance._probe(session, SYSTEM) == {}
    original = blocks.input_slots
    monkeypatch.setattr(blocks, "input_slots", lambda m: {} if type(m).__name__ == "SphericalHarmonics" else original(m))
    found = invariance._probe(session, SYSTEM)
    assert list(found) == ["spherical_harmonics"] and "declares no irreps" in found["spherical_harmonics"]
