"""What a session's declaration tells those that ask it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mpcheck._files.kinds import GZIP, SVG, XML, records_of
from mpcheck.sessions.contract import SessionSpec
from mpcheck.sessions.registry import sessions

calls: list[tuple[Any, ...]] = []


def start(*arguments: Any) -> int:
    calls.append(arguments)
    return 7


def spec(**changes: Any) -> SessionSpec:
    own = {"name": "made", "command": "make", "title": "It is made.", "order": 1, "start": f"{__name__}:start"}
    return SessionSpec(**own | changes)


def test_what_it_does_not_take_is_not_declared() -> None:
    assert spec().takes("tolerances") and spec().takes("model") and not spec().takes("draws")
    narrow = spec(without=("tolerances",))
    assert not narrow.takes("tolerances") and set(spec().declared) - set(narrow.declared) == {"tolerances"}


def test_its_command_is_its_name_where_it_is_given_none() -> None:
    assert (spec().command, spec(command="").command) == ("make", "made")


def test_it_names_every_file_that_it_may_write(tmp_path: Path) -> None:
    extra = (("made.svg", SVG), ("made-*.gz", GZIP))
    names = ["made.json", "made.md", "made.svg"]
    assert [output.path for output in spec(extra=extra).outputs(tmp_path)] == [tmp_path / name for name in names]
    (tmp_path / "made-2.gz").touch()
    (tmp_path / "made-1.gz").touch()
    outputs = spec(extra=extra, work="somewhere:Work").outputs(tmp_path, "--to")
    assert {output.path: output.kind for output in outputs} == {
        tmp_path / "made.json": records_of("made"), tmp_path / "made.md": outputs[1].kind, tmp_path / "made.xml": XML, tmp_path / "made.svg": SVG,
        tmp_path / "made-1.gz": GZIP, tmp_path / "made-2.gz": GZIP,
    }  # fmt: skip
    assert {output.option for output in outputs} == {"--to"}


def test_to_begin_it_is_to_call_its_start_with_itself() -> None:
    calls.clear()
    own = spec()
    assert own.begin({"model": "m"}, Path("out"), 2, True) == 7
    assert calls == [(own, {"model": "m"}, Path("out"), 2, True)]


@pytest.mark.parametrize("own", sessions().values(), ids=sessions())
def test_a_declaration_fits_its_options(own: SessionSpec) -> None:
    every = SessionSpec.declared.fget(spec(options=own.options))  # type: ignore[attr-defined]
    assert set(own.without) <= set(every) and set(own.own_settings) <= set(own.declared)
    assert not own.against or own.takes(own.against)
    assert own.work or own.start != "mpcheck.sessions.launch:start", "a suite needs work"
