"""What records of policies tell of what was asked for."""

from __future__ import annotations

from pathlib import Path

from mpcheck.sessions.finish import head
from mpcheck.sessions.policy.work import PolicyWork
from tests.unit.sessions.policy.conftest import options


def test_the_budget_that_was_asked_for_is_in_the_records(place: Path) -> None:
    """The answer is made of them: what is safe within the usual budget need not be within the user's."""
    work = PolicyWork(options(place, budget="1e-06 meV/atom"))
    assert head(work.session.options, work.session, 0.0)["options"]["budget"] == "1e-06 meV/atom"
