"""The session's work: a piece a block and system, the same passes for all; what raises is red, and what is left out is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from mpcheck._errors import InputError
from mpcheck.sessions.options import Options
from mpcheck.sessions.pieces import numbered
from mpcheck.sessions.ranges import RangesOptions
from mpcheck.sessions.ranges.work import RangesWork
from tests.unit.checks.uses.small_models import built, session_of


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return session_of(built("ScaleShiftMACE"), tmp_path_factory.mktemp("work")).options.model


def work(model: str, tmp_path: Path, **options: object) -> RangesWork:
    kind = options.pop("kind", Options)
    return RangesWork(kind(**{"model": model, "systems": ("builtin:water:2",), "cache": tmp_path, **options}))  # type: ignore[operator]


def test_blocks_of_a_system_are_done_together(model: str, tmp_path: Path) -> None:
    made = work(model, tmp_path)
    pieces = made.pieces()
    assert len({p.planned.key for p in pieces}) == len(pieces) and {p.group for p in pieces} == {"ranges/builtin:water:2"}
    assert {"model", "energy_sum", "interactions.0.scatter"} <= {p.planned.subject for p in pieces}
    records = numbered(pieces[0].planned, made.records(pieces[0]))
    assert len(records) == 10 and {r.part.of for r in records} == {10}


def test_what_blocks_are_judged_on_elsewhere_is_not_told(model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mpcheck.reference.library.Library.sampled", lambda _: "blocks are judged on a sample of their rows")
    plain, own = work(model, tmp_path), work(model, tmp_path, kind=RangesOptions)
    plain.pieces()
    assert plain.session.sampled("builtin:water:2") and own.session.sampled("builtin:water:2") == ""


def test_chosen_blocks_and_formats(model: str, tmp_path: Path) -> None:
    made = work(model, tmp_path, blocks=("readouts.*",), formats=("float16",))
    pieces = made.pieces()
    assert pieces and all(p.planned.subject.startswith("readouts.") for p in pieces)
    assert {r.format for r in made.records(pieces[0])} == {"float16"}
    assert "interactions.0.scatter" in made.narrowed()["blocks"] and "backends" not in made.narrowed()
    with pytest.raises(InputError, match="no block matches"):
        work(model, tmp_path, blocks=("nothing",)).pieces()


def test_what_raises_becomes_the_record_of_its_work(model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = work(model, tmp_path, blocks=("readouts.0*",))
    piece = made.pieces()[0]
    monkeypatch.setattr("mpcheck.checks.ranges.inspection.watched", lambda *_: 1 / 0)
    (record,) = made.records(piece)
    assert record.verdict == "fail" and "ZeroDivisionError" in record.reason


def test_without_the_device_all_say_so(model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = work(model, tmp_path, blocks=("readouts.0*",), device="cuda", references="host")
    if made.session.reference_backend.device.type == "cuda":
        pytest.skip("there is one")
    (record,) = made.records(made.pieces()[0])
    assert record.verdict == "unsupported" and "CUDA" in record.reason
