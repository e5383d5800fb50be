"""`mpcheck report`: its exit status, and the history that it reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from mpcheck.cli.report import entries_of
from mpcheck.history.gates import append_gate, entry_of, gate_history_path
from tests.unit import report_samples as samples
from tests.unit.commands import main, refusal, store


@pytest.mark.parametrize(("check", "status"), [([], 0), (["--check"], 1)])
def test_red_records_are_an_error_where_it_is_asked_for(check: list[str], status: int, tmp_path: Path) -> None:
    store(tmp_path / "records", samples.red())
    assert main(["report", str(tmp_path / "records"), "--markdown", str(tmp_path / "r.md"), *check]) == status
    assert (tmp_path / "r.md").read_text(encoding="utf-8").startswith("#")


def test_nothing_to_write_is_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    store(tmp_path / "records", samples.green())
    assert "nothing to write: give --html" in refusal(capfd, "report", str(tmp_path / "records"))
    words = ["report", str(tmp_path / "records"), "--markdown", str(tmp_path / "r.md"), "--history", str(tmp_path / "gone")]
    assert "gone is no directory" in refusal(capfd, *words)


def test_the_history_is_that_of_the_records_device(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    results = samples.green()
    assert entries_of(tmp_path, results) == [] and "warning: no history of" in capfd.readouterr().err
    path = gate_history_path(tmp_path, results.first.environment.device_slug)
    append_gate(path, entry_of(results))
    with path.open("a") as stream:
        stream.write("{half\n")
    assert entries_of(tmp_path, results) == [entry_of(results)]
    assert "line 2: not valid JSON" in capfd.readouterr().err
