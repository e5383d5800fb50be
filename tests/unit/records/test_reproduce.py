"""The command that repeats a conclusion can be typed, and is the one that made it."""

from __future__ import annotations

import shlex
from typing import Any

import pytest
import typer

from mpcheck.cli.main import app
from mpcheck.records.document import Gate
from mpcheck.records.items import item_of
from mpcheck.records.record import Record
from mpcheck.records.reproduce import reproduce
from mpcheck.sessions.registry import get
from tests.unit.accounts import check_record
from tests.unit.records.small import cell, findings, run


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
    lines = [reproduce(document, item) for item in items_of(document)]
    assert len(set(lines)) == (1 if suite == "profile" else 2)
    for line in lines:
        _parse(line)


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
