"""Small models whose steps are judged, with their references made before any fault is planted, as a gate's are."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mpcheck._names import TRAINING_STEP
from mpcheck._torch_state import neutral
from mpcheck.judge.context import Key
from mpcheck.learning.step.inspection import INSPECTION, SUBJECT
from mpcheck.records.record import Record
from mpcheck.sessions.run import Session
from tests.unit.checks.uses.small_models import built, session_of

Steps = Callable[..., dict[str, Record]]


@neutral()
def steps_of(run: Session, kind: str = "plain", fmt: str = "float32", backend: str = "e3nn") -> dict[str, Record]:
    """The records of one step, by what they are about."""
    (system,) = run.systems
    return {r.subject: r for r in INSPECTION.run(run, Key(TRAINING_STEP, SUBJECT, backend, fmt, system, kind))}


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Session:
    """A model of two elements on water, and the references of its step."""
    made = session_of(built("ScaleShiftMACE"), tmp_path_factory.mktemp("step"))
    for kind, fmt in (("plain", "float32"), ("masters", "float16")):
        steps_of(made, kind, fmt)
    return made


@pytest.fixture
def steps(run: Session) -> Steps:
    """Takes a step of it."""
    return lambda kind="plain", fmt="float32": steps_of(run, kind, fmt)
