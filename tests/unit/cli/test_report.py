"""`mpcheck report`: what it writes, what it needs, what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mpcheck.cli.main import main
from mpcheck.cli.report import entries_of
from mpcheck.history.gates import append_gate, entry_of, gate_history_path
from tests.unit import report_samples as samples
from tests.unit.report_samples import store


def test_the_command_writes_all_that_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    head, base = store(tmp_path / "head", samples.red()), store(tmp_path / "base", samples.results(samples.run(samples.grid())))
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    history = tmp_path / "history"
    append_gate(gate_history_path(history, "cpu-made-up-avx2"), entry_of(samples.red()))
    options = [
        "--html",
        str(tmp_path / "r.html"),
        "--markdown",
        str(tmp_path / "r.md"),
        "--summary",
        str(summary),
        "--pictures",
        str(tmp_path / "svg"),
    ]
    status = main(["report", str(head), "--base", str(base), "--history", str(history), "--title", "nightly", *options])
    assert status == 0  # it reports; it does not judge
    html = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "nightly" in html
    assert "since abcdef123456" in html
    assert summary.read_text(encoding="utf-8") == "before\n" + (tmp_path / "r.md").read_text(encoding="utf-8")
    assert list((tmp_path / "svg").glob("*.svg"))
    assert capsys.readouterr().out.startswith("FAIL: wrote ")


@pytest.mark.parametrize(("made", "status"), [(samples.red, 1), (samples.green, 0)])
def test_check_turns_the_verdict_into_a_status(tmp_path: Path, made: Any, status: int) -> None:
    head = store(tmp_path / "head", made())
    assert main(["report", str(head), "--markdown", str(tmp_path / "r.md"), "--check"]) == status


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "nothing to write"),
        (["--html", "{head}/precision.json"], "is read as input"),
        (["--markdown", "{out}", "--base", "{head}/nowhere"], "nowhere"),
        (["--markdown", "{out}", "--history", "{head}/nowhere"], "--history"),
        (["--markdown", "{head}/precision.json/r.md"], "cannot write"),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], words: str) -> None:
    head = store(tmp_path / "head", samples.green())
    before = (head / "precision.json").read_bytes()
    assert main(["report", str(head), *(o.format(head=head, out=tmp_path / "r.md") for o in options)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert words in lines[0]
    assert (head / "precision.json").read_bytes() == before
    assert not (tmp_path / "r.md").exists()


def test_the_history_is_that_of_the_records_device(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    results = samples.green()
    assert entries_of(tmp_path, results) == [] and "warning: no history of" in capfd.readouterr().err
    path = gate_history_path(tmp_path, results.first.environment.device_slug)
    append_gate(path, entry_of(results))
    with path.open("a") as stream:
        stream.write("{half\n")
    assert entries_of(tmp_path, results) == [entry_of(results)]
    assert "line 2: not valid JSON" in capfd.readouterr().err
