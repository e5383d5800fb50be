"""One run: what it covers, and what it refuses."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from mpcheck._errors import InputError
from mpcheck.judge.tolerances import packaged
from mpcheck.sessions.run import Session


def test_an_exception_that_matches_nothing_is_an_error(session: Session, tmp_path: Path) -> None:
    path = tmp_path / "t.yaml"
    path.write_text(
        packaged("limits.yaml").read_text() + "  - {block: nowhere.*, format: [float32], rms: 2.0, reason: no block of this name exists at all}\n"
    )
    strict = Session(dataclasses.replace(session.options, tolerances=path))
    with pytest.raises(InputError, match="matches nothing"):
        strict.cells()
