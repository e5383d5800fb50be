"""One system on e3nn, and what every property says of it as upstream is."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from mpcheck.records.record import Record
from mpcheck.sessions.run import Options, Session
from tests.unit.checks.physics.judging import WATER, judged


class Clean(dict[str, dict[tuple[str, str], Record]]):
    """Findings of each property on sound upstream, judged when first asked for, which is before a fault is planted."""

    def __init__(self, run: Session) -> None:
        super().__init__()
        self.run = run

    def __missing__(self, name: str) -> dict[tuple[str, str], Record]:
        return self.setdefault(name, judged(self.run, name))


@pytest.fixture(scope="session")
def run(cache: Path) -> Session:
    """One system on e3nn; no reference is needed."""
    return Session(Options(systems=(WATER,), backends=("e3nn",), cache=cache))


@pytest.fixture(scope="session")
def model(run: Session) -> torch.nn.Module:
    return run.reference_backend.model


@pytest.fixture(scope="session")
def clean(run: Session) -> Clean:
    return Clean(run)
