"""Records of any sessions, read back: recognised by content, of one model and device, bounded, told in uniform rows."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from mpcheck._errors import InputError
from mpcheck.cli.main import app
from mpcheck.records.document import Gate, Records, write_records
from mpcheck.records.items import item_of
from mpcheck.records.limits import Limits
from mpcheck.records.read import read_document, read_results
from mpcheck.records.record import Record
from mpcheck.records.reproduce import reproduce
from mpcheck.records.tensors import Quantity, decisive
from mpcheck.sessions.registry import get
from tests.unit.accounts import check_record, fields, golden_record, precision_record

ENVIRONMENT = {"device_slug": "cpu-x", "device_name": "X", "platform": "Linux", "packages": {"torch": "2"}, "device": "cpu"}
HEAD: dict[str, Any] = {
    "schema_version": 3, "mpcheck": "0.1.0", "environment": ENVIRONMENT, "model": {"name": "builtin:hco", "digest": "d"},
    "systems": [{"name": "builtin:water"}], "options": {"device": "cpu", "seed": 0}, "seconds": 1.0,
}  # fmt: skip


def quantity(name: str, rms: float | None, limit: float = 1.0, failures: tuple[str, ...] = ()) -> Quantity:
    numbers = dict.fromkeys(
        ("max_abs", "max_rel", "stabiliser", "max", "max_limit", "bias", "signed_bias", "bias_limit", "signed_bias_limit", "allowed_abs"), 0.5
    )
    return Quantity(name=name, shape=[3], rms=rms, rms_limit=limit, nonfinite=0, out_of_range=0, allowed_rel=0.5, failures=list(failures), **numbers)


def cell(subject: str = "a.b", verdict: Any = "pass", **changes: Any) -> Record:
    words = {"subject": subject, "role": "linear", "block": "leaf", "backend": "e3nn", "format": "bfloat16", "accumulation": "wide", "quantities": []}
    return precision_record(**(words | {"variant": "forward", "system": "builtin:water", "verdict": verdict} | changes))


def run(*cells: Record, golden: list[dict[str, Any]] | None = None, **changes: Any) -> Records:
    return Records(suite="precision", **(HEAD | fields([*cells, *(golden_record(**row) for row in golden or ())]) | changes))


def findings(suite: Any, *rows: Record, **changes: Any) -> Records:
    return Records(suite=suite, **(HEAD | fields(rows) | changes))


def test_a_directory_holds_every_session(tmp_path: Path) -> None:
    write_records(tmp_path / "audit.json", findings("audit", Record(check="dtypes", subject="model", verdict="pass")))
    write_records(tmp_path / "precision.json", run(cell()))
    found = read_results([tmp_path])
    assert list(found.documents) == ["precision", "audit"] and [i.session for i in found.items] == ["precision", "audit"]
    assert found.verdict == "PASS" and found.documents.keys() == {"precision", "audit"}


def test_what_sessions_write_beside_their_records_is_passed_over(tmp_path: Path) -> None:
    write_records(tmp_path / "precision.json", run(cell()))
    for name in ("pytest-benchmark.json", "bench-figures.json"):
        (tmp_path / name).write_text('{"machine_info": {}}', encoding="utf-8")
    found = read_results(sorted(tmp_path.glob("*.json")))
    assert [p.name for p in found.passed_over] == ["bench-figures.json", "pytest-benchmark.json"] and len(found.items) == 1
    with pytest.raises(InputError, match=r"no records to read: .*bench-figures"):
        read_results([tmp_path / "bench-figures.json"])


def test_the_innermost_block_is_told_first() -> None:
    bad = quantity("out", 9.0, failures=("rms",))
    outer = cell("interactions.0", "fail", block="composite", quantities=[quantity("out", 90.0, failures=("rms",))])
    inner = cell("interactions.0.linear", "fail", quantities=[bad])
    from mpcheck.records.read import Results

    found = Results({"precision": run(outer, inner)})
    assert [i.subject for i in found.failures] == ["interactions.0.linear", "interactions.0"] and found.verdict == "FAIL"


def test_a_failing_tensor_decides_before_a_larger_one() -> None:
    told = decisive([quantity("calm", 3.0, limit=4.0), quantity("bias", 0.2, failures=("bias",)), quantity("other", 0.9)])
    assert told is not None and told.name == "bias"
    assert decisive([quantity("a", 0.5), quantity("b", None)]).name == "b"  # type: ignore[union-attr]
    assert decisive([]) is None


def test_nothing_judged_is_no_pass() -> None:
    from mpcheck.records.read import Results

    assert Results({"precision": run(cell(verdict="unsupported"))}).verdict == "NOTHING JUDGED"
    profiled = findings("profile", Record(check="profile", subject="model", verdict="pass"))
    assert Results({"profile": profiled}).verdict == "NOTHING JUDGED"


def test_a_golden_value_that_differs_is_red() -> None:
    from mpcheck.records.read import Results

    row = {"system": "builtin:water", "name": "products.0:out", "rms": 9.0, "max": 9.0, "limit": 2.0, "failure": "changed by 9"}
    found = Results({"precision": run(cell(), golden=[row])})
    (failure,) = found.failures
    assert (failure.check, failure.subject, failure.variant, found.verdict) == ("golden", "products.0", "out", "FAIL")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model": {"name": "other", "digest": "e"}}, "different models"),
        ({"environment": ENVIRONMENT | {"device_slug": "cuda-y"}}, "different devices"),
    ],
)
def test_records_that_do_not_belong_together(change: dict[str, Any], said: str, tmp_path: Path) -> None:
    write_records(tmp_path / "precision.json", run(cell()))
    write_records(tmp_path / "audit.json", findings("audit", Record(check="dtypes", subject="model", verdict="pass"), **change))
    with pytest.raises(InputError, match=said) as error:
        read_results([tmp_path])
    assert "\n" not in str(error.value) and "audit.json" in str(error.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"suite": "precision", "schema_version": 4}', "schema_version is 4"),
        ('{"suite": "laundry", "schema_version": 1}', "field suite is 'laundry'"),
        ('{"suite": "precision", "schema_version": true}', "schema_version is True"),
        ("[]", "an object of fields expected"),
        ('{"suite": "precision"', "not valid JSON"),
        ('{"suite": "precision", "schema_version": 2, "cells": NaN}', "NaN"),
        ('{"suite": "audit", "schema_version": 2, "findings": []}', "field plan"),
    ],
)
def test_what_is_no_record(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=said) as error:
        read_document(path)
    assert "\n" not in str(error.value) and str(path) in str(error.value)


def test_missing_places(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no records in"):
        read_results([tmp_path])
    with pytest.raises(InputError, match="does not exist"):
        read_results([tmp_path / "absent.json"])


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


def _parse(line: str) -> None:
    """Let the command line's own parser read a command; it runs nothing."""
    program, *words = shlex.split(line)
    assert program == "mpcheck"
    group: Any = typer.main.get_command(app)
    command = group.commands[words[0]]
    with command.make_context(words[0], words[1:]):
        pass


HOSTILE = "a'; rm -rf $HOME; '`id`"


@pytest.mark.parametrize("name", ["builtin:water", "../data/my frames.extxyz@::10", HOSTILE])
def test_commands_that_repeat_a_row_can_be_typed(name: str) -> None:
    shown = cell(HOSTILE, "fail", system=name, backend="cueq", variant="backward")
    line = reproduce(run(shown, options={"device": "cuda:1", "seed": 3}), item_of("precision", shown))
    assert shlex.split(line) == [
        "mpcheck", "run", "builtin:hco", "--system", name, "--backend", "cueq", "--format", "bfloat16", "--block", HOSTILE,
        "--device", "cuda:1", "--seed", "3",
    ]  # fmt: skip
    _parse(line)


@pytest.mark.parametrize("suite", ["symmetry", "audit", "bench", "profile"])
def test_commands_of_every_session_exist(suite: Any) -> None:
    from mpcheck.records.items import items_of

    check, variant = {"symmetry": ("layout", "swapped"), "audit": ("engagement", ""), "bench": ("latency", "forward+backward")}.get(
        suite, ("profile", "energy")
    )
    rows = [
        check_record(check=check, subject=s, backend="e3nn", format="float32", system="builtin:water*2", variant=variant, verdict="fail")
        for s in ("products.0.linear", "model")
    ]
    document = findings(suite, *rows)
    for item in items_of(document):
        _parse(reproduce(document, item))


@pytest.mark.parametrize("suite", ["precision", "symmetry", "audit", "bench", "profile"])
@pytest.mark.parametrize(("base", "named"), [("0123abcd4567", "0123abcd4567"), ("", "none"), ("main; id", "none"), ("--install=x", "none")])
def test_what_a_gate_judged_a_gate_repeats(suite: Any, base: Any, named: str) -> None:
    from mpcheck.records.items import items_of
    from mpcheck.records.reproduce import repeated_where

    check = {"precision": "", "symmetry": "layout", "audit": "engagement", "bench": "latency", "profile": "profile"}[suite]
    row = Record(check=check, subject="products.0.linear", backend="e3nn", format="float32", system="builtin:water", verdict="fail")
    document = run(cell("a.b", "fail")) if suite == "precision" else findings(suite, row)
    document = document.model_copy(update={"environment": document.environment.model_copy(update={"gate": Gate(base=base, head="89ef")})})
    for item in items_of(document):
        line = reproduce(document, item)
        _parse(line)
        words = shlex.split(line)
        assert words[:4] == ["mpcheck", "gate", "--base", named] and words[words.index("--session") + 1] == suite
        assert words[words.index("--block") + 1] == item.subject if get(suite).takes("blocks") else "--block" not in words
        assert words[words.index("--model") + 1] == document.model.name
    assert repeated_where(document) == "in the directory that was gated", "not a commit"
    assert repeated_where(run(cell())) == ""


def test_reading_needs_no_torch(tmp_path: Path) -> None:
    """A job that only reads records, such as the one that comments on a pull request, need not install it."""
    write_records(tmp_path / "precision.json", run(cell()))
    code = (
        "import sys\nfrom pathlib import Path\nfrom mpcheck.records.read import read_results\nfrom mpcheck.records.reproduce import reproduce\n"
        f"r = read_results([Path({str(tmp_path)!r})])\nassert r.items\nassert not {{'torch', 'matplotlib', 'numpy'}} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_second_record_of_a_session_must_be_a_part_of_it(tmp_path: Path) -> None:
    write_records(tmp_path / "one.json", run(cell("a")))
    write_records(tmp_path / "two.json", run(cell("b"), options={"device": "cpu", "seed": 1}))
    with pytest.raises(InputError, match="seed"):
        read_results([tmp_path / "one.json", tmp_path / "two.json"])
    text = json.loads((tmp_path / "two.json").read_text(encoding="utf-8"))
    text["options"]["seed"] = 0
    (tmp_path / "two.json").write_text(json.dumps(text), encoding="utf-8")
    found = read_results([tmp_path / "one.json", tmp_path / "two.json"])
    assert [c.subject for c in found.documents["precision"].records] == ["a", "b"]
