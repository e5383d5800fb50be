"""The tool that measures the statistics' power runs, on little."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import md_power


def test_it_writes_a_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(md_power, "ATOMS", 8)
    md_power.main(repeats=4, longest=5.0, out=tmp_path / "power.md")
    lines = (tmp_path / "power.md").read_text(encoding="utf-8").splitlines()
    assert [line.split(" | ")[0] for line in lines[2:4]] == ["| 1 × 5", "| 3 × 5"] and lines[0].count("|") == lines[1].count("|") == lines[2].count(
        "|"
    )


def test_the_page_holds_what_it_promises() -> None:
    """Of 100 comparisons of one ensemble with itself at most five are called different, and with enough simulation 95 are equivalent."""
    head, _, *rows = md_power.OUT.read_text(encoding="utf-8").strip().splitlines()
    names = [name.strip() for name in head.strip("|").split("|")]
    cells = [dict(zip(names, (cell.strip() for cell in row.strip("|").split("|")), strict=True)) for row in rows if row.startswith("|")]
    assert len(cells) == 12 and all(int(one["same: different"]) <= 5 and int(one["same: any alarm"]) <= 5 for one in cells)
    assert int(cells[-1]["same: equivalent"]) >= 95 and all(one["2 % warmer: equivalent"] == "0" for one in cells)
