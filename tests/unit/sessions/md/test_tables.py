"""Tables: every figure has its place, and what is missing is a dash."""

from __future__ import annotations

from mpcheck.sessions.md import tables
from tests.unit.sessions.md.samples import RUN, document


def test_every_row_is_as_wide_as_its_head() -> None:
    made = tables.every(RUN)
    assert [title for title, *_ in made] == [
        "Equivalence to float64", "Means over starts ± standard deviation within a run", "Traces against float64's of the same start: meV/atom, K",
        "Speed", "Laws of physics",
    ]  # fmt: skip
    for _, head, rows, align in made:
        assert rows and all(len(row) == len(head) == len(align) for row in rows)


def test_means_are_over_starts() -> None:
    rows = {row[1]: row for row in tables.means(RUN)}
    assert rows["float64"][3:5] == ["300.5 ± 30", "–"]
    assert rows["all-bf16"][3] == "no run came to its end (a force of 2e+03 eV/Å)"


def test_decisions_have_interval_margin_and_promise() -> None:
    rows = {row[1]: row for row in tables.decided(RUN)}
    assert rows["all-fp16"][3:] == ["potential energy, K", "300", "10.4", "[9, 11]", "3", "+10.3 ± 0.2", "different"]
    assert rows["linear-bf16"][-1] == "cannot tell (needs 12 ps)"


def test_a_broken_law_is_told() -> None:
    rows = {row[3]: row for row in tables.laws(RUN)}
    assert rows["barostat's mass"][-1] == "BROKEN" and rows["temperature"][-1] == "holds"
    assert [row[3] for row in tables.laws(RUN, ["fail"])] == ["barostat's mass"]


def test_nothing_has_no_tables() -> None:
    assert tables.every(document()) == []
