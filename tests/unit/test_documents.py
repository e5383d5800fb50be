"""YAML as this package takes it, golden values that another program wrote, records and baselines that come back as they were written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from ase import Atoms
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from mpcheck._errors import InputError
from mpcheck._files.documents import BrokenError, DocumentKind, dumps, parse, write_document
from mpcheck._files.io import sha256_file
from mpcheck._files.yaml import Strict, parse_yaml, validate
from mpcheck.checks.golden import MAX_BYTES, load_golden
from mpcheck.history.ratios import Baseline, read_baseline, write_baseline
from mpcheck.judge.tolerances import Tolerances
from mpcheck.records.detail import Latency, figures
from mpcheck.records.document import Records, read_records, write_records
from mpcheck.records.record import Planned, Record
from mpcheck.records.tensors import Group, Number, Quantity, Tensors, Worst

FINITE = st.floats(allow_nan=False, allow_infinity=False)
NUMBER = st.none() | FINITE
TEXT = st.text(max_size=8)
LEAF = st.none() | st.booleans() | st.integers(-(10**310), 10**310) | st.integers(-3, 3) | st.floats() | TEXT
JSON = st.recursive(LEAF, lambda c: st.lists(c, max_size=4) | st.dictionaries(TEXT, c, max_size=4), max_leaves=10)
WHOLE = st.integers(-(2**63) + 1, 2**63 - 1)  # what is read back: see mpcheck._files.documents
PLAIN = st.dictionaries(TEXT, st.none() | st.booleans() | WHOLE | FINITE | TEXT, max_size=3)
GROUP = st.builds(Group, name=TEXT, rms=NUMBER, limit=NUMBER)
WORST = st.builds(Worst, place=TEXT, value=NUMBER, expected=NUMBER, allowed=NUMBER)
NUMBERS = {name: NUMBER for name, field in Quantity.model_fields.items() if field.annotation == Number}
NUMBERS |= {"shape": st.lists(WHOLE, max_size=2), "nonfinite": st.integers(0, 9), "out_of_range": st.integers(0, 9)}
QUANTITY = st.builds(Quantity, **NUMBERS, groups=st.lists(GROUP, max_size=1), worst=st.none() | WORST, failures=st.lists(TEXT, max_size=1))
SECONDS = st.floats(0, 1e9)
TENSORS = st.builds(Tensors, block=st.sampled_from(["leaf", "step", "composite", ""]), quantities=st.lists(QUANTITY, max_size=2))
FIGURES = st.dictionaries(TEXT, st.none() | st.booleans() | FINITE | TEXT | st.lists(TEXT, max_size=2), max_size=3).map(figures)
RECORD = st.builds(Record, detail=TENSORS | FIGURES | st.builds(Latency), batch=st.none() | st.integers(1, 99), seconds=SECONDS)
PLANNED = st.builds(Planned, batch=st.none() | st.integers(1, 99))
RUN = st.builds(
    Records, plan=st.lists(PLANNED, max_size=2), records=st.lists(RECORD, max_size=3), seconds=SECONDS,
    options=st.dictionaries(TEXT, st.none() | st.booleans() | WHOLE | FINITE | TEXT, max_size=3),
)  # fmt: skip
ENTRY = st.lists(FINITE, min_size=4, max_size=4)
BASELINE = st.builds(
    Baseline,
    suite=st.just("precision"),
    seed=WHOLE,
    provenance=PLAIN,
    cells=st.dictionaries(TEXT, st.dictionaries(TEXT, ENTRY, max_size=2), max_size=3),
)
CHEAP = settings(max_examples=60, deadline=None)


@CHEAP
@given(text=st.text(max_size=40) | st.text("-:[]{}!&*?|>%@`'\"# \n\tab01_.~<=", max_size=30))
def test_any_text_is_yaml_or_refused(text: str) -> None:
    try:
        parse_yaml(text, "file f")
    except InputError as error:
        message = str(error)
        if "\n" in message or not message.startswith("file f"):
            pytest.fail(message)


@pytest.mark.parametrize(
    "text", ["!!bool maybe", "!!int ''", "!!float ''", "!!omap [1]", "{{a: 1}: 1}", "- " * 3000, "a: *b", "!!python/name:os.system x"]
)
def test_yaml_that_constructors_choke_on(text: str) -> None:
    with pytest.raises(InputError, match=r"file f.*not valid YAML"):
        parse_yaml(text, "file f")


BOMB = "a0: &a0 {x: 1}\n" + "".join(f"a{i}: &a{i} {{<<: [*a{i - 1}, *a{i - 1}, *a{i - 1}]}}\n" for i in range(1, 25))
LISTS = "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 40))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (BOMB, "line .*values, those that aliases stand for"), (LISTS, "line .*values, those that aliases stand for"), ("[" * 5000, "nested deeper"),
        ("- " * 5000, "nested deeper"), ("{a: " * 40, "nested deeper"), ("a: &a [*a]", "inside what it stands for"), ("x: " + "9" * 5000, "digits"),
        ("x: 0x" + "f" * 5000, "beyond 64 bits"), ('x: "\\ud800"', "half a character"), ("x: " + "y" * 30_000, "30,000 characters"),
        ("- x\n" * 150_000, "larger than 512 KiB"),
    ],
)  # fmt: skip
def test_yaml_that_would_grow(text: str, says: str) -> None:
    with pytest.raises(InputError, match=f"file f.*{says}"):
        parse_yaml(text, "file f")


def test_aliases_of_ordinary_size_are_read() -> None:
    assert parse_yaml("a: &a {x: 1, y: [1, 2]}\nb: {<<: *a, x: 2}\nc: *a", "f") == {
        "a": {"x": 1, "y": [1, 2]}, "b": {"x": 2, "y": [1, 2]}, "c": {"x": 1, "y": [1, 2]},
    }  # fmt: skip


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


@CHEAP
@given(key=st.text("abc", min_size=1, max_size=3), first=st.integers(), second=st.integers())
def test_duplicate_keys_are_refused(key: str, first: int, second: int) -> None:
    for text in (f"{key}: {first}\n{key}: {second}\n", f"{{{key}: {first}, x: 1, {key}: {second}}}"):
        with pytest.raises(InputError, match="duplicate key"):
            parse_yaml(text, "file f")


@CHEAP
@given(mantissa=st.integers(-999, 999), exponent=st.integers(-300, 300))
def test_exponents_make_floats(mantissa: int, exponent: int) -> None:
    found = parse_yaml(f"a: {mantissa}e{exponent}", "file f")["a"]
    assert type(found) is float
    assert found == float(f"{mantissa}e{exponent}")


@CHEAP
@given(value=JSON)
def test_validate_refuses_what_is_no_tolerance_file(value: Any) -> None:
    with pytest.raises(InputError, match=r"^file f: "):
        validate(Tolerances, value, "file f")


@CHEAP
@given(run=RUN, baseline=BASELINE)
def test_round_trips(tmp_path_factory: pytest.TempPathFactory, run: Records, baseline: Baseline) -> None:
    path = tmp_path_factory.getbasetemp() / "round-trip.json"
    write_records(path, run)
    assert read_records(path) == run
    write_baseline(path, baseline)
    assert read_baseline(path) == baseline


TENSORS = st.sampled_from([torch.ones(3, dtype=torch.bfloat16), torch.tensor(1), torch.full((2, 2), -5), torch.full((1,), 2**62)])
NAMES = st.sampled_from(["numbers", "positions", "cells", "pbc", "counts", "noise:energy", "value:x"])


@CHEAP
@given(changes=st.dictionaries(NAMES, st.none() | TENSORS))
def test_golden_file_of_other_tensors_with_a_fitting_checksum(
    tmp_path_factory: pytest.TempPathFactory, changes: dict[str, torch.Tensor | None]
) -> None:
    path = tmp_path_factory.getbasetemp() / "forged.safetensors"
    manifest = path.with_suffix(".json")
    tensors: dict[str, torch.Tensor | None] = {
        "numbers": torch.tensor([1, 1]), "positions": torch.arange(6.0).reshape(2, 3), "cells": torch.zeros(1, 3, 3),
        "pbc": torch.zeros(1, 3, dtype=torch.uint8), "counts": torch.tensor([2]), "value:energy": torch.ones(1), "noise:energy": torch.ones(1),
    }  # fmt: skip
    save_file({k: t.clone() for k, t in (tensors | changes).items() if t is not None}, path)
    manifest.write_text(json.dumps({"schema": 1, "sha256": sha256_file(path)}), encoding="utf-8")
    try:
        golden = load_golden((path, manifest))
    except InputError as error:
        if not changes or str(path) not in str(error):
            raise
    else:
        assert golden.values.keys() == golden.noise.keys()
        assert changes or golden.frames == (Atoms("H2", [[0, 1, 2], [3, 4, 5]]),)


def test_a_golden_file_that_is_too_large_is_not_even_read(tmp_path: Path) -> None:
    path, manifest = tmp_path / "huge.safetensors", tmp_path / "huge.json"
    with path.open("wb") as stream:
        stream.truncate(MAX_BYTES + 1)  # sparse: takes no space
    manifest.write_text(json.dumps({"schema": 1, "sha256": "x"}), encoding="utf-8")
    with pytest.raises(InputError, match=r"huge\.safetensors is larger than 64 MiB"):
        load_golden((path, manifest))


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


def test_a_findings_file_of_another_schema(tmp_path: Path) -> None:
    (tmp_path / "f.json").write_text('{"schema_version": 7}')
    with pytest.raises(InputError, match="schema_version is 7, this mpcheck reads 2"):
        read_records(tmp_path / "f.json")
