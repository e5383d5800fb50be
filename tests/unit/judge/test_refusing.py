"""Which of several reasons is given where a block cannot run, and what a raised error comes to."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from mpcheck._raised import Raised, attempt
from mpcheck._unsupported import Unsupported, no_device
from mpcheck.formats import FLOAT64
from mpcheck.judge.refusing import raised, refused, usable
from mpcheck.sessions.run import Session
from tests.conftest import SYSTEM

BASE = {"check": "layout", "subject": "b", "backend": "cueq", "format": "float64", "system": SYSTEM}


def test_a_lost_reference_comes_before_a_missing_backend(session: Session) -> None:
    library: Any = session.library(SYSTEM)
    block = library.block("products.0.linear")
    assert usable(library, session.reference_backend, block, FLOAT64) is session.reference_backend
    missing = no_device()
    assert usable(library, missing, block, FLOAT64) is missing
    lost: Any = SimpleNamespace(refused=lambda name: f"{name} cannot be stored")
    assert usable(lost, missing, block, FLOAT64) == Unsupported("no-reference", "products.0.linear cannot be stored")


def test_a_refusal_carries_what_is_lacking() -> None:
    record = refused(BASE, no_device())
    assert (record.verdict, record.lacking, record.subject) == ("unsupported", "cuda", "b") and record.reason


@pytest.mark.parametrize(
    ("error", "verdict", "says"),
    [
        (NotImplementedError("\"add\" not implemented for 'Half'"), "unsupported", "NotImplementedError: \"add\" not implemented for 'Half'"),
        (KeyError("x"), "fail", "raised KeyError: 'x'"),
    ],
)
def test_only_a_missing_operation_is_no_failure(error: Exception, verdict: str, says: str) -> None:
    def call() -> None:
        raise error

    caught = attempt(call)
    assert isinstance(caught, Raised)
    record = raised(BASE, caught)
    assert record.verdict == verdict and record.reason.startswith(says)
