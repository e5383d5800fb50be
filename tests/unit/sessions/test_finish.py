"""The files that a session ends with, and what becomes of those that were there before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mpcheck.records.document import read_records
from mpcheck.records.outcome import outcome
from mpcheck.records.record import Record
from mpcheck.sessions.finish import Accounts, assembled, begin, finish, shown
from mpcheck.sessions.run import Session
from tests.conftest import SYSTEM
from tests.unit.accounts import accounted, plan
from tests.unit.record_samples import finding
from tests.unit.whole_runs import COMMAND, SMALL, ended


def accounts(*records: Record, **changes: Any) -> Accounts:
    return Accounts(**{"suite": "audit", "plan": plan(records)["plan"], "state": "complete"} | changes)


def test_records_of_one_check_stand_together_under_what_the_run_says_of_itself(session: Session) -> None:
    records = accounted([finding("a", check="dtypes"), finding("a", check="engagement"), finding("b", check="dtypes")])
    document = assembled(accounts(*records, narrowed={"blocks": ["c"], "formats": []}), session, records, 1.23456)
    assert [(r.check, r.subject) for r in document.records] == [("dtypes", "a"), ("dtypes", "b"), ("engagement", "a")]
    assert (document.suite, document.state, document.narrowed, document.seconds) == ("audit", "complete", {"blocks": ["c"]}, 1.235)
    (system,) = document.systems
    frames = session.systems[SYSTEM].frames
    assert (system.name, system.atoms, system.frames) == (SYSTEM, sum(map(len, frames)), len(frames))
    assert system.edges == session.graph(SYSTEM)["edge_index"].shape[1] and system.reference is not None
    assert document.model.digest == session.model.digest and "shard" not in document.options and document.options["seed"] == 0
    assert "references" not in document.options, "histories compare what was asked for"


def test_a_killed_run_leaves_records_that_say_so(session: Session, tmp_path: Path) -> None:
    records = accounted([finding("a", check="dtypes"), finding("b", check="dtypes")])
    assert begin(accounts(*records, state="running"), session, str(tmp_path)) == []
    left = read_records(tmp_path / "audit.json")
    assert (left.state, left.records, len(left.plan)) == ("running", [], 2) and outcome(left) == "crashed"


def test_the_files_of_a_run_replace_what_it_began_with(session: Session, tmp_path: Path) -> None:
    records = accounted([finding("a", check="dtypes")])
    begin(accounts(*records, state="running"), session, str(tmp_path))
    document, files = finish(accounts(*records), session, records, 1.0, str(tmp_path))
    assert read_records(tmp_path / "audit.json") == document and outcome(document) == "pass"
    assert {path.name for path in files} == {"audit.json", "audit.md"}
    assert (tmp_path / "audit.md").read_text().startswith("# mpcheck audit: PASS") and "dtypes" in shown(document)


def test_without_a_directory_nothing_is_written(session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    records = accounted([finding("a", check="dtypes")])
    assert begin(accounts(*records, state="running"), session, None) == []
    assert finish(accounts(*records), session, records, 1.0, None)[1] == [] and not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_narrower_run_keeps_the_wider_one_and_says_so(tmp_path: Path, cache: Path) -> None:
    out, name = tmp_path / "out", "precision.json"
    assert ended("precision", out, cache)[0] == 0
    wide = (out / name).read_bytes()
    code, said = ended("precision", out, cache, "--backend", "cueq")  # another, wider one: nothing is told of a loss
    assert code == 0, said
    assert f"{name}.earlier" not in said and (out / name).read_bytes() != wide
    wide = (out / name).read_bytes()
    code, said = ended("symmetry", out, cache)
    assert code == 0 and (out / name).read_bytes() == wide
    narrow = ["--block", "readouts.0*"]
    SMALL["narrow"], COMMAND["narrow"] = [*SMALL["precision"][2:], *narrow], "run"
    code, said = ended("narrow", out, cache)
    assert code == 0, said
    assert f"{name}.earlier" in said and "narrowed: left out" in said
    assert (out / f"{name}.earlier").read_bytes() == wide and (out / name).read_bytes() != wide
    code, said = ended("narrow", out, cache, site="from mpcheck.sessions.run import Session\nSession.cells = lambda self: self.cells_of_nobody")
    assert code == 1 and not (out / name).is_file(), said  # an earlier green is not this run's
    assert (out / f"{name}.earlier").read_bytes() == wide
