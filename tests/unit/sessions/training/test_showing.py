"""What people are told of trainings: the answer first, in their units; nothing where there is nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from mpcheck.records.items import item_of
from mpcheck.records.outcome import outcome
from mpcheck.records.reproduce import reproduce
from mpcheck.sessions.training.answer import answer
from mpcheck.sessions.training.showing import SHOWING
from mpcheck.sessions.training.tables import ERRORS, error_rows
from tests.unit.sessions.training.samples import document

RUN = document(
    float64=[100.0, 110.0, 120.0], float32=[100.1, 110.0, 120.0], half_linear_bf16__master=[140.0, 150.0, 161.0], half_linear_fp16=[None, None, None]
)


def test_the_answer_is_first() -> None:
    first, same, other, *_ = answer(RUN)
    assert "110 meV/Å and 10.0 meV/atom" in first and "3 seeds, 2 epochs" in first
    assert same == "learns forces as well: float32 +0.0 %"
    assert other.startswith("learns forces otherwise: half-linear-bf16+master +36.7 %; half-linear-fp16")


def test_what_goes_wrong_is_told_with_its_regime() -> None:
    wrong = RUN.model_copy(deep=True)
    wrong.records[3] = wrong.records[3].model_copy(update={"verdict": "fail", "reason": "dropped gradient: every one of products.0.linear"})
    assert outcome(wrong) == "fail"
    assert "goes wrong: float32: dropped gradient: every one of products.0.linear" in answer(wrong)
    assert not any(line.startswith("learns forces as well") for line in answer(wrong))
    assert "FAIL" in SHOWING.terminal(wrong) and SHOWING.note(wrong, [None]) == "goes wrong: float32"  # type: ignore[list-item]


def test_a_red_training_is_repeated_by_its_command() -> None:
    item = item_of("training", RUN.records[3])
    told = RUN.model_copy(update={"options": {"seeds": 3, "epochs": 20, "seed": 5}})
    assert reproduce(told, item) == "mpcheck train recipe:small --regime float32 --seeds 3 --epochs 20 --seed 5"


def test_the_table_is_that_of_the_thesis() -> None:
    rows = [dict(zip(ERRORS, row, strict=True)) for row in error_rows(RUN)]
    assert [row["split"] for row in rows[::4]] == ["train", "validation", "test"]
    assert (rows[2]["default"], rows[2]["lowered"], rows[2]["regime"]) == ("float32", "bfloat16", "half-linear-bf16+master")
    assert rows[0]["F meV/Å"] == "110 ±10" and rows[0]["F beside float64"] == ""
    assert rows[2]["F beside float64"].startswith("+36.7 ±") and rows[2]["F beside float64"].endswith("% different")
    assert (rows[3]["F meV/Å"], rows[3]["F beside float64"]) == ("–", "no number")


@pytest.mark.parametrize("made", [RUN, document(float64=[100.0]), document(float64=[None], float32__amp_fp16=[90.0])])
def test_every_output_is_made_of_every_document(made: object, tmp_path: Path) -> None:
    assert "float64" in SHOWING.terminal(made) and SHOWING.markdown(made).startswith("# mpcheck train: ")  # type: ignore[arg-type]
    paths = SHOWING.pictures(tmp_path, made)  # type: ignore[arg-type]
    assert paths and all(path.read_text().startswith("<?xml") for path in paths)


def test_pictures_are_of_what_there_is(tmp_path: Path) -> None:
    scaled = document(float64=[100.0], float32__amp_fp16=[90.0])
    names = {path.stem for path in SHOWING.pictures(tmp_path, scaled)}
    assert names == {"training-losses", "training-scale", "training-force", "training-energy", "training-between", "training-within"}
    assert "training-scale" not in {path.stem for path in SHOWING.pictures(tmp_path / "more", document(float64=[100.0], float32=[90.0]))}
