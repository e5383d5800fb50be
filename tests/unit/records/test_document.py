"""Records as a file: of this schema version, and of one session."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from mpcheck._errors import InputError
from mpcheck._files.kinds import BEGINNING, kind_of, records_of
from mpcheck.cli.main import main
from mpcheck.records.document import read_records
from tests.unit import record_samples as samples
from tests.unit.records.judged import document, write


def test_records_of_another_schema_version_are_refused(tmp_path: Path) -> None:
    """They have no plan, so that nobody can say whether they are whole."""
    path = write(tmp_path, document("audit")) / "audit.json"
    data = json.loads(path.read_text())
    path.write_text(json.dumps(data | {"schema_version": 1}))
    assert main(["report", str(path), "--markdown", str(tmp_path / "r.md"), "--check"]) == 2


def test_a_findings_file_of_another_schema(tmp_path: Path) -> None:
    (tmp_path / "f.json").write_text('{"schema_version": 7}')
    with pytest.raises(InputError, match="schema_version is 7, this mpcheck reads 2"):
        read_records(tmp_path / "f.json")


def test_a_record_of_another_session_is_refused() -> None:
    with pytest.raises(ValidationError, match="check 'layout' is none of this session's"):
        samples.findings("audit", samples.finding(check="layout"))
    assert samples.findings("audit", samples.finding(check="a check of somebody's own")).records


def test_what_a_file_is_stands_at_its_beginning(tmp_path: Path) -> None:
    """Whoever is about to write over it reads no more: a long plan before it made a second run into the same directory impossible."""
    long = samples.findings("symmetry", samples.finding())
    long = long.model_copy(update={"plan": [long.plan[0].model_copy(update={"subject": f"block {i}", "key": f"{i}"}) for i in range(3000)]})
    path = tmp_path / "symmetry.json"
    path.write_text(long.model_dump_json(indent=1))
    assert path.stat().st_size > 4 * BEGINNING and kind_of(path) == records_of("symmetry")
