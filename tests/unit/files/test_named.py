"""A name of a model or of structures: whether what it stands for is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mpcheck._errors import InputError
from mpcheck._files.named import refuse_missing_model, structure_file


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("my.model", "a+b.model", "arch.yaml", "a+b.yaml", "train.xyz", "x@2.xyz"):
        (tmp_path / name).write_text("")
    return tmp_path


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("spec", ["my.model", "a+b.model", "arch.yaml", "arch.yaml+w.pt", "a+b.yaml+w.pt", "builtin:x", "recipe:y", "mace_mp:small"])
def test_a_model_that_may_be_there_is_let_through(spec: str) -> None:
    refuse_missing_model(spec)


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("my.modle", "model my.modle does not exist (did you mean my.model?); give"), ("mace_mp:", "does not exist; give"),
        ("gone.yaml+w.pt", "model gone.yaml+w.pt does not exist; give"), ("builtin", "model builtin does not exist"), ("", "is a directory"),
        ("far/away.model", "model far/away.model does not exist; give"), ("\0", "has bytes that are no UTF-8"),
    ],
)  # fmt: skip
def test_a_model_that_is_not_there_is_refused_with_the_nearest_name(spec: str, said: str) -> None:
    with pytest.raises(InputError, match=re.escape(said)):
        refuse_missing_model(spec)


def test_a_directory_is_no_model(here: Path) -> None:
    (here / "folder").mkdir()
    with pytest.raises(InputError, match="model folder is a directory"):
        refuse_missing_model("folder")


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("spec", "file", "selection"),
    [("train.xyz", "train.xyz", ""), ("train.xyz@::10", "train.xyz", "::10"), ("x@2.xyz", "x@2.xyz", ""), ("x@2.xyz@-1", "x@2.xyz", "-1")],
)
def test_a_file_and_which_of_its_frames(spec: str, file: str, selection: str) -> None:
    assert structure_file(spec) == (Path(file), selection)


@pytest.mark.usefixtures("here")
def test_structures_that_are_not_there() -> None:
    with pytest.raises(InputError, match=re.escape("system file trian.xyz does not exist (did you mean train.xyz?); give")):
        structure_file("trian.xyz@3")
