"""The derived table: it holds what cells allow, and is stale where they allow otherwise."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mpcheck._errors import InputError
from mpcheck._files.yaml import parse_yaml, validate
from mpcheck.judge.tolerances import packaged
from mpcheck.sessions import derive
from mpcheck.sessions.precision.limits import judge_by_limits
from mpcheck.sessions.run import Options, Session
from tests.conftest import SYSTEM

BLOCK = "products.0.linear"


@pytest.fixture(scope="module")
def small(cache: Path) -> Session:
    return Session(Options(systems=(SYSTEM,), blocks=(BLOCK,), formats=("float32", "bfloat16"), backends=("e3nn",), cache=cache))


@pytest.fixture(scope="module")
def text(small: Session) -> str:
    return derive.table_text(small, SYSTEM, "e3nn")


@pytest.fixture
def checked(small: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], tuple[bool, str]]:
    """What is said of a table's text."""
    monkeypatch.setattr(derive, "_open", lambda *_: (small, SYSTEM))

    def check(table: str) -> tuple[bool, str]:
        path = tmp_path / "table.yaml"
        path.write_text(table, encoding="utf-8")
        return derive.check_files(path, None)

    return check


def test_the_table_holds_the_largest_error_that_each_cell_allows(small: Session, text: str) -> None:
    table = validate(derive.Derived, parse_yaml(text, "table"), "table")
    assert (table.model, table.digest, table.system) == (small.model.name, small.model.digest, SYSTEM)
    assert set(table.allowed) == {BLOCK} and set(table.allowed[BLOCK]) == {"float32", "bfloat16"}
    for key in small.cells():
        cell = judge_by_limits(small, key)
        allowed = table.allowed[key.block][key.format][key.direction]
        assert allowed.max_abs == pytest.approx(max(q.allowed_abs or 0.0 for q in cell.quantities), rel=0.01)
        assert allowed.max_rel == pytest.approx(max(q.allowed_rel or 0.0 for q in cell.quantities), rel=0.01)


def test_a_table_is_stale_where_its_model_allows_otherwise(small: Session, text: str, checked: Callable[[str], tuple[bool, str]]) -> None:
    assert checked(text)[0] is False and checked(text)[1].endswith(": current")
    line = next(line for line in text.splitlines() if line.strip().startswith("forward:"))
    value = line.partition("max_abs: ")[2].partition(",")[0]
    stale, said = checked(text.replace(line, line.replace(value, f"{1.05 * float(value):.2e}"), 1))
    assert stale and "allowed max_abs is" in said and "run `mpcheck tolerances derive" in said
    stale, said = checked(text.replace(line + "\n", "", 1))
    assert stale and "is missing" in said
    stale, said = checked(text.replace(small.model.digest, "f" * 64))
    assert stale and "has changed" in said


def test_files_that_people_wrote_are_only_read(tmp_path: Path) -> None:
    assert derive.check_files(packaged("limits.yaml"), None) == (False, f"{packaged('limits.yaml')}: valid")
    (tmp_path / "list.yaml").write_text("- 1\n")
    with pytest.raises(InputError, match="expected a mapping of fields at the top"):
        derive.check_files(tmp_path / "list.yaml", None)
    (tmp_path / "wrong.yaml").write_text("generated: true\nschema_version: 1\n")
    with pytest.raises(InputError, match="derived tolerances"):
        derive.check_files(tmp_path / "wrong.yaml", None)


def test_a_file_of_another_kind_is_not_overwritten(tmp_path: Path) -> None:
    place = tmp_path / "notes.yaml"
    place.write_text("mine: 1\n")
    with pytest.raises(InputError, match="--out"):
        derive.derive("builtin:hco", "builtin:isolated", place, "e3nn", None, 0)
    assert place.read_text() == "mine: 1\n"
