from __future__ import annotations

from pathlib import Path

import pytest

from mpcheck._errors import InputError
from mpcheck.learning.step.names import REGIMES
from mpcheck.learning.step.regimes import EVERY, regime_of, regimes
from mpcheck.sessions.pieces import numbered
from mpcheck.sessions.registry import get
from mpcheck.sessions.training_step import TrainingStepOptions
from mpcheck.sessions.training_step.work import TrainingStepWork
from tests.unit.checks.uses.small_models import built, session_of


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("work")
    return session_of(built("ScaleShiftMACE"), folder).options.model


def work(model: str, tmp_path: Path, **options: object) -> TrainingStepWork:
    return TrainingStepWork(TrainingStepOptions(model=model, backends=("e3nn",), cache=tmp_path, **options))  # type: ignore[arg-type]


def test_a_run_takes_one_crystal_and_every_regime_unless_it_is_told_others(model: str, tmp_path: Path) -> None:
    made = work(model, tmp_path)
    (system,) = made.session.systems
    assert all(frame.pbc.all() for frame in made.session.systems[system].frames)
    assert [(p.planned.variant, p.planned.format) for p in made.pieces()] == [(r.kind, r.format.name) for r in EVERY]
    assert {p.planned.system for p in made.pieces()} == {system} and len({p.planned.key for p in made.pieces()}) == len(EVERY)
    assert len({p.group for p in made.pieces()}) == 1  # they share references
    assert made.narrowed() == {"backends": ["cueq"]}


def test_what_is_left_out_is_said(model: str, tmp_path: Path) -> None:
    made = work(model, tmp_path, regimes=("masters",), formats=("bfloat16", "float64"), systems=("builtin:water",))
    assert [p.planned.key for p in made.pieces()] == ["training-step-builtin:water-step-e3nn-bfloat16-masters"]
    assert made.narrowed()["regimes"] == ["plain", "amp", "stored"] and made.narrowed()["formats"] == ["float32", "tf32", "float16"]


def test_a_regime_without_any_of_the_formats_is_refused(model: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--regime amp has none of the formats float64; plain has float64, float32 and tf32"):
        work(model, tmp_path, regimes=("amp",), formats=("float64",)).pieces()


def test_an_unknown_regime_is_told_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"unknown regime 'amq' \(did you mean amp\?\); choose from plain, amp, masters, stored"):
        get("training-step").refuse({"regime": ["amq"]})
    get("training-step").refuse({"regime": ["amp,stored"]})


def test_the_records_of_a_piece_are_whole(model: str, tmp_path: Path) -> None:
    made = work(model, tmp_path, regimes=("plain",), formats=("float32",), systems=("builtin:water",))
    (piece,) = made.pieces()
    records = numbered(piece.planned, made.records(piece))
    assert [r.part.number for r in records] == [1, 2, 3, 4, 5] and {r.verdict for r in records} == {"pass"}
    assert made.session.judged_by["builtin:water"][1] == "optimisation-step"
    facts = made.session.reference("builtin:water", 0.0)
    assert facts["from"] == "made now" and facts["code"]
    again = work(model, tmp_path, regimes=("plain",), formats=("float32",), systems=("builtin:water",))
    kept = again.records(again.pieces()[0])
    assert [(r.ratio, r.limit) for r in kept] == [(r.ratio, r.limit) for r in records]


def test_what_raises_becomes_the_record_of_its_work(model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = work(model, tmp_path, regimes=("plain",), formats=("float32",), systems=("builtin:water",))
    (piece,) = made.pieces()
    monkeypatch.setattr("mpcheck.learning.step.inspection.library_of", lambda *_: 1 / 0)
    (record,) = made.records(piece)
    assert record.verdict == "fail" and "ZeroDivisionError" in record.reason


def test_regimes_by_kind_and_format() -> None:
    assert regimes((), ()) == list(EVERY) and {r.kind for r in EVERY} == set(REGIMES)
    assert [r.name for r in regimes(("plain",), ("tf32", "bfloat16"))] == ["plain-tf32"]
    assert regime_of("masters", "bf16").name == "masters-bfloat16"
