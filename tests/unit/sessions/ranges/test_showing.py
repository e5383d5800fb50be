"""Every output is made, with where a format ends at its head."""

from __future__ import annotations

from pathlib import Path

from mpcheck.sessions.ranges.showing import SHOWING
from tests.unit.sessions.ranges.samples import EXAMPLE, document


def test_the_terminal_says_where_formats_end_first() -> None:
    text = SHOWING.terminal(EXAMPLE)
    assert text.lstrip().startswith("builtin:water: float16 does not hold 1 block")
    assert "1 tensor expanded: model:out.energy" in text and "float16  float32" in " ".join(text.split("\n")[7:12]).replace("   ", "  ")
    assert "readouts.0 " not in text and "readouts.0 " in SHOWING.terminal(EXAMPLE, whole=True)
    assert "PASS: ranges" in text


def test_markdown_and_the_line_of_a_report() -> None:
    text = SHOWING.markdown(EXAMPLE)
    assert text.startswith("# mpcheck ranges: PASS") and "70 atoms on" in text and "| readouts.0 |" in text
    assert "does not hold 1 block" in SHOWING.note(EXAMPLE, [None])  # type: ignore[list-item]
    assert SHOWING.note(document(), []) == "it recorded no conclusion at all"
    assert SHOWING.note(document(), [None]) == ""  # type: ignore[list-item]


def test_pictures_are_files(tmp_path: Path) -> None:
    names = [path.name for path in SHOWING.pictures(tmp_path, EXAMPLE)]
    assert names == ["ranges-builtin-water-output.svg", "ranges-builtin-water-weight.svg", "ranges-builtin-water-gradient.svg"]
    assert SHOWING.pictures(tmp_path, document()) == []
