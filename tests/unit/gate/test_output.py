"""A gate's directory: emptied of an earlier gate's records only, and its reports tell everything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mpcheck.gate import output
from mpcheck.gate.outcome import Outcome
from mpcheck.gate.output import head_lines
from mpcheck.gate.sessions import Crash
from tests.unit.report_samples import green


def test_what_the_records_cannot_tell_is_in_the_summary() -> None:
    crashed = Outcome("b", "h", None, crashes=[Crash("head", "precision", "<script>|x"), Crash("base", "", "old")], notes=["a_note"])
    text = head_lines(crashed)
    assert text.startswith("## Gate: CRASHED: head h against base b: 0 red, 1 without a verdict")
    assert "<script>" not in text and "no verdict" in text and "a\\_note" in text


def test_records_of_an_earlier_gate_are_not_taken_for_this_ones(tmp_path: Path) -> None:
    out: Any = tmp_path / "out"
    output.emptied(out)
    (out / "head").mkdir()
    (out / "head" / "bench.json").write_text("{}")
    (out / "gate.log").write_text("of whoever calls")
    output.emptied(out)
    assert not (out / "head").exists() and (out / "gate.log").is_file() and (out / ".gitignore").read_text().endswith("\n*\n")


def test_crashes_reach_the_page(tmp_path: Path) -> None:
    """The page is what people open: it must not be green where a session of the gate came to no verdict."""
    outcome = Outcome("", "abc", green(), crashes=[Crash("head", "bench", "ended by signal 9")])
    assert outcome.verdict == "CRASHED"
    output.write(outcome, tmp_path, (), lambda _: None)
    page, text = (tmp_path / "report.html").read_text(encoding="utf-8"), (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "<title>CRASHED" in page and "no verdict: bench of head: ended by signal 9" in page
    assert text.count("ended by signal 9") == 1 and "✓ PASS: mpcheck" not in text
