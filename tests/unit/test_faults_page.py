"""docs/faults.md is that of the catalogue, and is not written from half of a matrix."""

from __future__ import annotations

from pathlib import Path

import pytest

from mpcheck._errors import InputError
from tests.faults.catalogue import load_catalogue, plantings
from tests.faults.matrix.records import Entry, Row, read_rows, write_row
from tests.faults.page import complete, matrix, summary

PAGE = Path(__file__).parents[2] / "docs" / "faults.md"


def rows() -> list[Row]:
    seen = Entry(check="precision", blame="right", named=["b"], says="x", seconds=1.0, work=1, red=1)
    return [
        Row(plant=i, fault=f.id, patch=p.patch, backend=p.backend, format=p.format, truth=["b"], expected="precision", whole=False, entries=[seen])
        for i, f, p in plantings()
    ]


def test_the_page_has_every_fault_and_its_planting() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for plant, _, entry in plantings():
        assert f"| {plant} | `{entry.patch}` | {entry.backend} {entry.format} |" in text, f"{plant}: `nox -s faults -- --docs`"
    for fault in load_catalogue().faults:
        assert f"| {fault.id} " in text or any(f"| {fault.id}{letter} " in text for letter in "abc")


def test_half_a_matrix_is_refused(tmp_path: Path) -> None:
    every = rows()
    for row in every[1:]:
        write_row(tmp_path, row)
    with pytest.raises(InputError, match=r"lacks A1 .*nox -s faults"):
        complete(read_rows(tmp_path))
    write_row(tmp_path, every[0])
    assert [r.plant for r in complete(read_rows(tmp_path))] == [r.plant for r in every]
    write_row(tmp_path, every[0].model_copy(update={"plant": "Z9"}))
    with pytest.raises(InputError, match="Z9"):
        complete(read_rows(tmp_path))


def test_a_misplaced_fault_counts_half_and_a_missed_one_nothing() -> None:
    every = rows()
    wrong = every[0].model_copy(update={"entries": [every[0].entries[0].model_copy(update={"blame": "wrong"})]})
    missed = every[1].model_copy(update={"entries": [every[1].entries[0].model_copy(update={"blame": "not seen"})]})
    assert (every[0].score, wrong.score, missed.score) == (1.0, 0.5, 0.0)
    faults = len({r.fault for r in every})
    assert f"{faults - 1.5:g} of {faults}" in summary([wrong, missed, *every[2:]])[0]
    assert any("✗" in line for line in matrix([wrong, missed, *every[2:]]))


@pytest.mark.parametrize("blame", ["property", "right"])
def test_a_property_is_the_right_answer_only_for_a_fault_of_the_whole_model(blame: str) -> None:
    entry = Entry(check="physics", blame=blame, says="x", seconds=1.0, work=1, red=1)  # type: ignore[arg-type]  # parametrised
    row = rows()[0].model_copy(update={"expected": "physics", "entries": [entry]})
    assert row.score == (1.0 if blame == "right" else 0.5)
    assert row.model_copy(update={"whole": True}).score == 1.0
