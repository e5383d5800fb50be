"""The sessions that faults are planted into."""

from __future__ import annotations

from pathlib import Path

import pytest

from mpcheck.sessions.run import Options, Session
from tests.faults.catalogue import load_catalogue


@pytest.fixture(scope="session")
def sessions(session: Session, cache: Path) -> dict[str, Session]:
    """The shared session, and one for each other system that a fault needs; its blocks are not judged, so that nothing is built."""
    systems = {p.system for f in load_catalogue().faults for p in f.plants} - set(session.systems)
    return dict.fromkeys(session.systems, session) | {
        s: Session(Options(systems=(s,), backends=("e3nn",), cache=cache, blocks=("edge_vectors",))) for s in systems
    }
