"""`mpcheck merge`: what it says of each session, and its status."""

from __future__ import annotations

from pathlib import Path

import pytest

from mpcheck.records.document import read_records
from mpcheck.records.read import Results
from tests.unit import report_samples as samples
from tests.unit.commands import main, refusal, store


@pytest.mark.parametrize(("results", "status"), [(samples.green(), 0), (samples.red(), 1)], ids=["green", "red"])
def test_each_session_is_told_and_written(results: Results, status: int, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    given = results.documents["precision"]
    store(tmp_path / "part", Results({"precision": given}))
    assert main(["merge", str(tmp_path / "part"), "--out", str(tmp_path / "whole")]) == status
    judged = sum(record.verdict != "unsupported" for record in given.records)
    lines = capfd.readouterr().out.splitlines()
    assert lines[0].startswith(f"precision: {'FAIL' if status else 'PASS'}, {judged} judged")
    assert f"wrote {tmp_path / 'whole' / 'precision.json'}" in lines
    assert read_records(tmp_path / "whole" / "precision.json").records == given.records


def test_a_file_is_no_directory_to_write_into(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    store(tmp_path / "part", samples.green())
    (tmp_path / "whole").write_text("mine")
    assert f"--out {tmp_path / 'whole'} is no directory" in refusal(capfd, "merge", str(tmp_path / "part"), "--out", str(tmp_path / "whole"))
    assert (tmp_path / "whole").read_text() == "mine"
