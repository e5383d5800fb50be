"""Watching a model leaves it as it was."""

from __future__ import annotations

import contextlib

from mpcheck.checks.physics.watching import watched
from mpcheck.judge.context import Key
from mpcheck.records.record import Record
from mpcheck.sessions.run import Session
from tests import inspections
from tests.conftest import SYSTEM


def judged(session: Session, backend: str = "e3nn", subject: str = "ghosts") -> dict[str, Record]:
    system = SYSTEM if subject == "ghosts" else ""
    return {f.variant: f for f in inspections.run("audit", session, Key("physics", subject, backend, "float64", system))}


def test_the_model_is_left_as_it_was(session: Session) -> None:
    model = session.reference_backend.model
    hooks = sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())
    asked = [p.requires_grad for p in model.parameters()]
    judged(session)
    with contextlib.suppress(ZeroDivisionError), watched(model):
        raise ZeroDivisionError
    assert [p.requires_grad for p in model.parameters()] == asked
    assert sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules()) == hooks
