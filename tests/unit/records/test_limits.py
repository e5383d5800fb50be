"""Records of somebody unknown are bounded."""

from __future__ import annotations

from pathlib import Path

import pytest

from mpcheck._errors import InputError
from mpcheck.records.document import write_records
from mpcheck.records.limits import Limits
from mpcheck.records.read import read_document
from tests.unit.records.small import cell, quantity, run


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (Limits(file_bytes=100), "larger than"),
        (Limits(rows=1), "2 rows, 1 are read"),
        (Limits(text=200), "a text of 201 characters"),
        (Limits(depth=3), "nested deeper"),
    ],
)
def test_records_of_somebody_unknown_are_bounded(limits: Limits, said: str, tmp_path: Path) -> None:
    path = tmp_path / "precision.json"
    write_records(path, run(cell(reason="r" * 201), cell("c", quantities=[quantity("out", 0.5)])))
    read_document(path)
    with pytest.raises(InputError, match=said):
        read_document(path, limits)
