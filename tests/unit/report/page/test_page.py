"""The report as files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mpcheck._errors import InputError
from mpcheck.report.page import write_report
from tests.unit import report_samples as samples


def test_no_cells_at_all_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no cells"):
        write_report(samples.results(samples.run([])), tmp_path / "r.html", None)
    assert not (tmp_path / "r.html").exists()


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
