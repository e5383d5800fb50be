"""Every row of a large structure is a piece of the precision session's work, and of a small one it is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from mpcheck._names import EVERY_ROW
from mpcheck.sessions.pieces import Piece
from mpcheck.sessions.precision import PrecisionOptions, every_row
from mpcheck.sessions.precision.work import PrecisionWork

LARGE, SMALL = "builtin:diamond:3", "builtin:water"
CONV = "interactions.0.conv_tp"


def made(cache: Path, system: str = LARGE, rows: str = "sample") -> PrecisionWork:
    return PrecisionWork(PrecisionOptions(systems=(system,), backends=("e3nn",), formats=("float32",), blocks=(CONV,), cache=cache, rows=rows))


def pieces_of(work: PrecisionWork) -> list[Piece]:
    return [piece for piece in work.pieces() if piece.planned.check == EVERY_ROW]


def test_a_large_structure_is_judged_in_every_row_of_the_blocks_of_the_run(cache: Path) -> None:
    work = made(cache)
    (piece,) = pieces_of(work)
    (record,) = work.records(piece)
    assert (record.check, record.subject, record.format, record.variant, record.verdict) == (EVERY_ROW, CONV, "float32", "forward", "pass")
    assert record.figures["rows"] == 15_052 and work.failed(piece.planned, "raised").subject == "model"


def test_what_is_not_sampled_is_not_judged_again(cache: Path) -> None:
    assert not pieces_of(made(cache, SMALL))


def test_of_what_does_not_fit_into_memory_a_part_is_judged_and_said_so(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work = made(cache)
    (piece,) = pieces_of(work)
    monkeypatch.setattr(every_row, "fits", lambda session, system: False)
    (record,) = work.records(piece)
    assert "does not fit into memory" in record.note and record.figures["rows"] < 15_052


def test_what_raises_is_a_red_record(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work = made(cache)
    (piece,) = pieces_of(work)

    def broken(*_: object) -> bool:
        raise RuntimeError("broken")

    monkeypatch.setattr(every_row, "fits", broken)
    (record,) = work.records(piece)
    assert record.verdict == "fail" and "broken" in record.reason
