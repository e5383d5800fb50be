"""The session's work: what is planned, what is refused, and a small run from beginning to end."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from ase import Atoms
from ase.io import write

from mpcheck._errors import InputError
from mpcheck.records.training_figures import TrainingCompared, TrainingRun
from mpcheck.sessions.training import EPOCHS_LONG, SMALL, TrainingOptions
from mpcheck.sessions.training import work as module
from mpcheck.sessions.training.parsing import regimes, weights
from mpcheck.sessions.training.work import TrainingWork
from tests.unit.learning.conftest import few


@pytest.fixture
def small_work(monkeypatch: pytest.MonkeyPatch) -> TrainingWork:
    monkeypatch.setattr(module, "solvents", few)
    return TrainingWork(TrainingOptions(regimes=("float64", "half-linear-fp16+master"), seeds=2, epochs=2, batch_size=4))


def test_every_training_and_comparison_is_planned_and_ends_in_a_record(small_work: TrainingWork) -> None:
    pieces = small_work.pieces()
    keys = [piece.planned.key for piece in pieces]
    assert keys == [
        "training/float64/seed-0", "training/half-linear-fp16+master/seed-0", "training/float64/seed-1", "training/half-linear-fp16+master/seed-1",
        "training-dynamics/float64/seed-0", "training-dynamics/half-linear-fp16+master/seed-0", "training-compared/half-linear-fp16+master",
    ]  # fmt: skip
    assert len({piece.group for piece in pieces}) == len(pieces), "each may be done by another process"
    records = [record for piece in pieces for record in small_work.records(piece)]
    assert [record.key for record in records] == keys
    assert {record.verdict for record in records} <= {"pass", "inconclusive"}, "a model of two epochs may fly apart, in float64 as well"
    assert {record.verdict for record in records if record.check != "training-dynamics"} == {"pass"}
    first, last = records[0].detail, records[-1].detail
    assert isinstance(first, TrainingRun) and isinstance(last, TrainingCompared) and last.seeds == 2
    assert [e.split for e in first.errors] == ["train", "validation", "test"] and len(first.validation_loss) == 3
    assert isinstance(records[1].detail, TrainingRun) and records[1].detail.scales
    assert first.validation_loss[0] != records[2].detail.validation_loss[0], "another seed, other weights"  # type: ignore[union-attr]
    again = {record.key: record for piece in pieces for record in small_work.records(piece)}
    assert [again[record.key] for record in records] == records, "done once"
    model, start = small_work.trained_model("float64", 1), small_work.session.model.module
    assert model is not None and not any(torch.equal(a, b) for a, b in zip(model.parameters(), start.parameters(), strict=True) if a.numel())


def test_what_upstream_raises_is_a_red_record(small_work: TrainingWork, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise KeyError("weights")

    monkeypatch.setattr(module, "train", broken)
    piece, *_, comparison = small_work.pieces()
    assert [(r.verdict, r.key) for r in small_work.records(piece)] == [("fail", piece.planned.key)]
    assert small_work.records(comparison)[0].verdict == "fail"


def test_a_missing_gpu_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "solvents", few)
    work = TrainingWork(TrainingOptions(device="cuda", regimes=("float64", "float32"), seeds=1))
    if not module.CUDA.is_available():
        records = [work.records(piece)[0] for piece in work.pieces()]
        assert {(r.verdict, r.lacking) for r in records} == {("unsupported", "cuda"), ("unsupported", "")} and "about" in work.outlook()


def test_what_it_takes_is_told_and_what_is_left_out(small_work: TrainingWork) -> None:
    assert "4 trainings of 4 steps: about" in small_work.outlook()
    assert small_work.narrowed() == {"regimes": ["float32", "float32+amp-bf16", "float32+amp-fp16", "half-linear-bf16+master"]}


def test_options(monkeypatch: pytest.MonkeyPatch) -> None:
    assert regimes(["float32,half-linear-bf16", "float32"]) == ("float64", "float32", "half-linear-bf16")
    assert weights(["trained"]) == "trained"
    with pytest.raises(InputError, match=r"unknown regime 'flaot32'.*float32.*choose from float64, float32"):
        regimes(["flaot32"])
    with pytest.raises(InputError, match="choose from ema, trained"):
        weights(["last"])
    monkeypatch.setattr(module, "solvents", few)
    assert TrainingWork(TrainingOptions(long=True)).settings(0).epochs == EPOCHS_LONG
    assert TrainingWork(TrainingOptions(long=True, epochs=7)).settings(0).epochs == 7


def test_a_model_that_lacks_an_element_is_refused(tmp_path: Path) -> None:
    frames = []
    for number in range(16):
        atoms = Atoms("NH", [[0, 0, 0], [0, 0, 1.0 + 0.01 * number]], info={"REF_energy": -10.0})
        atoms.arrays["REF_forces"] = atoms.positions * 0.1
        frames.append(atoms)
    write(tmp_path / "nh.xyz", frames, format="extxyz")
    with pytest.raises(InputError, match=f"model recipe:odd lacks N of .*nh.xyz; give another, or {SMALL}"):
        TrainingWork(TrainingOptions(model="recipe:odd", data=tmp_path / "nh.xyz"))
    assert TrainingWork(TrainingOptions(data=tmp_path / "nh.xyz")).session.model.elements == ["H", "N"]


def test_a_given_model_begins_with_its_own_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "solvents", lambda: replace(few(), train=few().train[:4]))
    work = TrainingWork(TrainingOptions(model="builtin:hco", regimes=("float64",), seeds=2, epochs=1))
    records = [work.records(piece)[0] for piece in work.pieces() if piece.planned.check == "training"]
    details = [record.detail for record in records]
    assert {record.verdict for record in records} == {"pass"}, "validation may get worse of what has learned already"
    starts = {detail.validation_loss[0] for detail in details if isinstance(detail, TrainingRun)}
    assert len(details) == 2 and len(starts) == 1
