"""Structures that do not fit are refused before anything is computed, in a line that says what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from mpcheck._errors import InputError
from mpcheck._names import WHOLE
from mpcheck.records.policy_figures import WholeModel
from mpcheck.records.record import Planned
from mpcheck.report.whole import whole_title
from mpcheck.sessions import room
from mpcheck.sessions.finish import Accounts, assembled
from mpcheck.sessions.precision.whole import whole_records
from mpcheck.sessions.run import Options, Session
from tests.unit.commands import refusal

LARGE = "builtin:diamond:4"
WANTED = ["--system", LARGE, "--backend", "e3nn", "--format", "float32"]


def session_of(tmp_path: Path, limit: float, system: str = LARGE) -> Session:
    options = Options(systems=(system,), backends=("e3nn",), formats=("float32",), cache=tmp_path, memory_limit=f"{limit:.0f}B" if limit else "")
    return Session(options)


def test_small_structures_are_not_asked(tmp_path: Path) -> None:
    session = session_of(tmp_path, 1, "builtin:water")
    assert room.needed(session, session.graph("builtin:water")) == 0.0
    room.require_room(session)


def test_a_large_one_needs_what_it_needs(tmp_path: Path) -> None:
    session = session_of(tmp_path, 0)
    size = room.needed(session, session.graph(LARGE))
    assert 1e8 < size < 5e9
    for limit, there in ((0.9 * size, False), (1.1 * size, True)):
        assert room.fits(session_of(tmp_path, limit), LARGE) is there
    part = room.needed(session, room.part_of(session, LARGE))
    assert part < size / 2
    room.require_room(session_of(tmp_path, 1.1 * part), blocks_alone=True)
    with pytest.raises(InputError, match=r"atoms.*edges.*: energies and forces take about .*B in float64, and .*B are to be had; give a smaller"):
        room.require_room(session_of(tmp_path, 1.1 * part))
    with pytest.raises(InputError, match=r"--memory-limit .*B tries it all the same"):
        room.require_room(session_of(tmp_path, 0.5 * part), blocks_alone=True)


@pytest.mark.parametrize("command", [["symmetry"], ["audit"], ["policy"], ["run", "--rows", "all"], ["run"]])
def test_every_session_that_computes_forces_refuses(command: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    formats = [] if command[0] == "policy" else WANTED[-2:]
    words = [*command, "builtin:hco", *WANTED[:4], *formats, "--memory-limit", "50MB", "--cache", str(tmp_path), "--out", str(tmp_path / "out")]
    said = refusal(capfd, *words)
    assert f"system {LARGE} (" in said
    assert "--memory-limit" in said and "--system" in said


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 4 bytes")])
def test_a_part_that_does_not_fit_is_refused_as_well(error: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> float:
        raise error

    monkeypatch.setattr(room, "forces_bytes", fails)
    with pytest.raises(InputError, match=r"energies and forces take more in float64, and .*B are to be had; give a smaller cell .* more memory$"):
        room.require_room(session_of(tmp_path, 1e9))
    error = ValueError("something else")
    with pytest.raises(ValueError, match="something else"):
        room.require_room(session_of(tmp_path, 1e9))


@pytest.mark.parametrize("text", ["2", "lots", "-1GB"])
def test_no_size(text: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert f"--memory-limit is {text!r}" in refusal(capfd, "run", "builtin:hco", "--memory-limit", text, "--cache", str(tmp_path))


def test_the_whole_model_is_judged_on_a_part_where_all_does_not_fit(tmp_path: Path) -> None:
    session = session_of(tmp_path, 1e9)
    size = room.needed(session, session.graph(LARGE))
    session = session_of(tmp_path, size / 2)
    planned = Planned(key=f"{WHOLE}/{LARGE}", check=WHOLE, subject="model", system=LARGE)
    records = whole_records(session, planned)
    assert [r.verdict for r in records] == ["pass"]
    detail = records[0].detail
    assert isinstance(detail, WholeModel) and detail.force_meV_per_A is not None and detail.stress_GPa is None
    assert records[0].note.startswith("a part of it with ") and records[0].note.endswith("atoms, since all of it does not fit into memory")
    document = assembled(Accounts("precision", [planned], "complete"), session, records, 1.0)
    assert records[0].note in whole_title(document)
