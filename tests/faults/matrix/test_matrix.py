"""Every planted fault before every kind of check: what it was planted for sees it, and none blames a block that it is not in."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mpcheck._unsupported import Unsupported
from mpcheck.sessions.run import Session
from tests.faults.catalogue import Fault, Plant, plantings
from tests.faults.matrix.panel import Clean, Panel
from tests.faults.matrix.records import write_row

OUT = Path(os.environ.get("MPCHECK_FAULTS_OUT", "reports/faults")) / "matrix"


@pytest.fixture(scope="module")
def clean() -> dict[str, Clean]:
    return {}


@pytest.mark.full
@pytest.mark.parametrize(("plant_id", "fault", "plant"), [pytest.param(i, f, p, id=f"{i}-{p.patch}") for i, f, p in plantings()])
def test_kill_matrix(plant_id: str, fault: Fault, plant: Plant, sessions: dict[str, Session], clean: dict[str, Clean], tmp_path: Path) -> None:
    session = sessions[plant.session]
    if plant.backend != "e3nn" and isinstance(reason := session.backend(plant.backend), Unsupported):
        pytest.skip(f"unsupported({reason})")
    row = Panel(session, plant, tmp_path, clean.setdefault(plant.session, {}), fault.acts.block).row(plant_id, fault.id)
    write_row(OUT, row)
    wrong = {e.check: f"{e.named} for {row.truth}: {e.says}" for e in row.entries if e.blame == "wrong"}
    assert not wrong, f"{plant_id} is in other blocks than those that are blamed: {wrong}"
    seen = {e.check for e in row.entries if e.blame != "not seen"}
    assert plant.check in seen, f"{plant_id}: {plant.check} does not see it, {sorted(seen)} do"
