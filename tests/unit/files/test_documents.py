"""YAML as this package takes it, golden values that another program wrote, records and baselines that come back as they were written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import settings

from mpcheck._errors import InputError
from mpcheck._files.documents import BrokenError, DocumentKind, dumps, parse, write_document
from mpcheck._files.yaml import Strict

CHEAP = settings(max_examples=60, deadline=None)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[" * 65 + "]" * 65, "nested deeper than 64"), ("[" * 100_000, "not valid JSON"), ('{"a":' * 70 + "1" + "}" * 70, "nested deeper than 64"),
        ("1" + "0" * 5000, "too large a whole number"), (str(2**63), "too large a whole number"), ("1e999", "not a finite number"),
        (r'"\ud800"', r"\\ud800 alone is half a character"), (r'{"\udfff": 1}', "half a character"), ("[[]," * 11_000_000, "20,000,000 values"),
    ],
)  # fmt: skip
def test_json_that_could_not_be_used(text: str, says: str) -> None:
    with pytest.raises(BrokenError, match=says):
        parse(text)


def test_json_at_the_bounds_is_read() -> None:
    assert parse("[" * 64 + "]" * 64)
    assert parse(str(-(2**63) + 1)) == -(2**63) + 1
    assert parse(r'"\ud83d\ude00"') == "\U0001f600"
    assert parse(dumps({"a\ud800": ["\udfff", ("x",)]})) == {r"a\ud800": [r"\udfff", ["x"]]}


class Third(Strict):
    """A document that has been renamed twice."""

    schema_version: int = 3
    suite: str = "made-up"
    deviation: float = 0.0
    rows: list[int] = []
    table: dict[str, int] = {}


KIND = DocumentKind(Third, "made-up document", 3, "write it anew", "made-up", migrations={
    1: lambda d: {"drift" if name == "wander" else name: value for name, value in d.items()},
    2: lambda d: {"deviation" if name == "drift" else name: value for name, value in d.items()},
})  # fmt: skip


@pytest.mark.parametrize(("version", "name"), [(1, "wander"), (2, "drift"), (3, "deviation")])
def test_earlier_versions_are_migrated_one_after_the_other(tmp_path: Path, version: int, name: str) -> None:
    path = tmp_path / "x.json"
    assert KIND.read_if_there(path) is None
    path.write_text(json.dumps({"schema_version": version, "suite": "made-up", name: 0.5}))
    assert KIND.read(path) == Third(deviation=0.5)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ([], "an object of fields expected, found list"),
        ({"schema_version": 3}, "there is no field suite"),
        ({"suite": "bench", "schema_version": 3}, "the field suite is 'bench', expected 'made-up'"),
        ({"suite": "made-up", "schema_version": 4}, "schema_version is 4, this mpcheck reads 3"),
        ({"suite": "made-up", "schema_version": 0}, "schema_version is 0, this mpcheck reads 3"),
        ({"suite": "made-up", "schema_version": True}, "schema_version is True, this mpcheck reads 3"),
        ({"suite": "made-up", "schema_version": 2, "wander": 1.0}, "field wander: Extra inputs are not permitted"),
    ],
)
def test_what_cannot_be_read_names_file_field_and_remedy(tmp_path: Path, data: object, said: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(json.dumps(data))
    with pytest.raises(InputError) as told:
        KIND.read(path)
    assert str(told.value).startswith(f"made-up document {path}: {said}") and str(told.value).endswith("write it anew")


def test_rows_and_tables_are_written_a_line_each(tmp_path: Path) -> None:
    path, document = tmp_path / "x.json", Third(rows=[3, 1], table={"b": 1, "a": 2})
    write_document(path, document, "rows", "table")
    assert path.read_text().splitlines()[4:] == [' "rows": [', "3,", "1", " ],", ' "table": {', '  "a": 2,', '  "b": 1', " }", "}"]
    assert KIND.read(path) == document
