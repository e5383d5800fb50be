"""What a session's Markdown ends with: red ones with their blocks, notes, what limits the verdict, where it was measured."""

from __future__ import annotations

from mpcheck.report.ending import ending
from tests.unit.record_samples import finding, findings


def test_red_ones_notes_and_the_environment() -> None:
    red = finding("a|b", verdict="fail", reason="<b>", block="products.0")
    text = "\n".join(ending(findings("symmetry", red), ["a note"]))
    assert "## fail" in text and "products.0" in text and "<b>" not in text and "- a note" in text
    assert text.index("## fail") < text.index("a note") < text.index("## Environment") and "Test CPU" in text


def test_nothing_red_has_no_table() -> None:
    lines = ending(findings("symmetry", finding()), [])
    assert "## fail" not in lines and lines[-1] == "- Test CPU, Linux"
