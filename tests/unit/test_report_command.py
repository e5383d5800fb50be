"""`mpcheck report`: what it writes, what it needs, what it refuses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mpcheck._errors import InputError
from mpcheck._text import shell
from mpcheck.cli.main import main
from mpcheck.history.gates import append_gate, entry_of, gate_history_path
from mpcheck.records.document import write_records
from mpcheck.records.read import Results
from mpcheck.report.page import write_report
from tests.unit import report_samples as samples


def store(results: Results, folder: Path) -> Path:
    """Records as sessions write them."""
    folder.mkdir(parents=True, exist_ok=True)
    for session, document in results.documents.items():
        write_records(folder / f"{session}.json", document)
    return folder


def test_no_cells_at_all_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no cells"):
        write_report(samples.results(samples.run([])), tmp_path / "r.html", None)
    assert not (tmp_path / "r.html").exists()


def test_a_command_with_unseen_characters_stays_exact() -> None:
    word = "a\u202eb\n'c\\"
    command = shell(["printf", "%s", word])
    assert command.isprintable()
    done = subprocess.run(["bash", "-c", command], capture_output=True, check=True, env={"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"})
    assert done.stdout.decode() == word


def test_reading_records_and_writing_markdown_needs_neither_torch_nor_matplotlib() -> None:
    script = (
        "import sys\nfor name in ('torch', 'matplotlib', 'numpy', 'mace', 'e3nn'): sys.modules[name] = None\n"
        "import mpcheck.cli.report, mpcheck.report.page.as_html, mpcheck.records.read\nfrom mpcheck.report.page import summary_markdown, write_report"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_without_matplotlib_the_page_is_written_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import mpcheck.report.pictures as module

    def missing(*_: Any) -> None:
        raise ModuleNotFoundError("No module named 'matplotlib'", name="matplotlib")

    monkeypatch.setattr(module, "pictures", missing)
    write_report(samples.red(), tmp_path / "r.html", None)
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "has no pictures" in text
    assert "<svg" not in text


def test_the_command_writes_all_that_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    head, base = store(samples.red(), tmp_path / "head"), store(samples.results(samples.run(samples.grid())), tmp_path / "base")
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
    head = store(made(), tmp_path / "head")
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
    head = store(samples.green(), tmp_path / "head")
    before = (head / "precision.json").read_bytes()
    assert main(["report", str(head), *(o.format(head=head, out=tmp_path / "r.md") for o in options)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert words in lines[0]
    assert (head / "precision.json").read_bytes() == before
    assert not (tmp_path / "r.md").exists()
