"""Exceptions among the tolerances are used and give their reasons."""

from __future__ import annotations

from mpcheck.judge.tolerances import load_tolerances, unused
from mpcheck.sessions.run import Session
from tests.conftest import SYSTEM


def test_exceptions_are_used_and_carry_reasons(session: Session) -> None:
    tolerances = load_tolerances()
    names = [b.name for b in session.check(SYSTEM).library.blocks()]
    assert unused(tolerances, names, ["e3nn", "cueq"]) == []
    assert all(len(e.reason) > 60 for e in tolerances.exceptions)
