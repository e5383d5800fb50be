"""What an existing file is, from how it begins."""

from __future__ import annotations

from pathlib import Path

from mpcheck._files.kinds import BEGINNING, SVG, kind_of


def test_kinds_are_told_apart(place: Path) -> None:
    assert kind_of(place / "base/audit.json") == "records of audit"
    assert kind_of(next((place / "b").rglob("bench.json"))) == "stored figures of bench"
    assert kind_of(next((place / "g").rglob("*.jsonl"))) == "a history"
    assert kind_of(place / "nothing") == ""
    (place / "empty").touch()
    assert kind_of(place / "empty") == ""


def test_a_picture_in_one_long_line_is_a_picture(tmp_path: Path) -> None:
    """A picture of many blocks has more than is read of a file, and no line ends in it."""
    path = tmp_path / "long.svg"
    path.write_text('<?xml version="1.0" encoding="UTF-8"?>\n<svg>' + "<g/>→" * BEGINNING + "</svg>", encoding="utf-8")
    assert kind_of(path) == SVG
