"""The sessions that faults are planted into."""

from __future__ import annotations

from pathlib import Path

import pytest

from mpcheck.adapters.architecture import build_model
from mpcheck.adapters.construction import SMALL
from mpcheck.adapters.load import LoadedModel, load_object
from mpcheck.sessions.run import Options, Session
from tests.faults.catalogue import load_catalogue


@pytest.fixture(scope="session")
def sessions(session: Session, cache: Path) -> dict[str, Session]:
    """The shared session, and one for each other system that a fault needs; its blocks are not judged, so that nothing is built."""
    plants = {p.session: p for f in load_catalogue().faults for p in f.plants if p.session not in session.systems}
    return dict.fromkeys(session.systems, session) | {
        key: Session(Options(systems=(p.system,), backends=("e3nn",), cache=cache, blocks=("edge_vectors",)), two_heads() if p.model else None)
        for key, p in plants.items()
    }


def two_heads() -> LoadedModel:
    """A small model with two heads that differ in E0, scale and shift."""
    arch = SMALL.model_copy(
        update={
            "name": "two-heads", "heads": ["a", "b"], "atomic_energies": {"a": {"H": -13.6, "O": -27.2}, "b": {"H": -12.1, "O": -25.2}},
            "atomic_inter_scale": {"a": 0.7, "b": 0.9}, "atomic_inter_shift": {"a": 0.0, "b": 0.1},
        }
    )  # fmt: skip
    return load_object(build_model(arch), arch.name)
