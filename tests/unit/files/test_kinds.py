"""What an existing file is, from how it begins."""

from __future__ import annotations

from pathlib import Path

from mpcheck._files.kinds import kind_of


def test_kinds_are_told_apart(place: Path) -> None:
    assert kind_of(place / "base/audit.json") == "records of audit"
    assert kind_of(next((place / "b").rglob("bench.json"))) == "stored figures of bench"
    assert kind_of(next((place / "g").rglob("*.jsonl"))) == "a history"
    assert kind_of(place / "nothing") == ""
    (place / "empty").touch()
    assert kind_of(place / "empty") == ""
