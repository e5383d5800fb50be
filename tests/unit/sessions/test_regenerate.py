"""What is stored is rewritten where it moves, and loosened with a reason only."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import torch

from mpcheck._errors import InputError
from mpcheck.history.ratios import baseline_path, read_baseline, write_baseline
from mpcheck.records.environment import device_slug
from mpcheck.sessions import regenerate
from mpcheck.sessions.run import Options, Session

SYSTEM, BLOCK = "builtin:isolated", "products.0.linear"


@pytest.fixture(scope="module")
def small(cache: Path) -> Session:
    return Session(Options(systems=(SYSTEM,), blocks=(BLOCK,), formats=("float32",), backends=("e3nn",), cache=cache))


@pytest.fixture(scope="module")
def recorded(small: Session, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("recorded")
    assert regenerate.baseline(small, directory, "", 2)[-1].startswith("wrote ")
    return directory


@pytest.fixture
def place(recorded: Path, tmp_path: Path) -> Path:
    """A file of its own with the recorded baseline."""
    path = baseline_path(tmp_path, device_slug("cpu"))
    path.parent.mkdir(parents=True)
    path.write_bytes(baseline_path(recorded, device_slug("cpu")).read_bytes())
    return path


def test_a_baseline_holds_every_cell_and_prints_of_its_blocks(small: Session, recorded: Path) -> None:
    stored = read_baseline(baseline_path(recorded, device_slug("cpu")))
    assert stored is not None and set(stored.cells) == {key.id for key in small.cells()}
    assert set(stored.references) == {f"{SYSTEM}/{BLOCK}"} and stored.provenance["repeats"] == 2
    assert stored.matches(small.model.digest, SYSTEM, small.systems[SYSTEM].digest, 0)


def test_what_did_not_move_is_written_without_a_reason(small: Session, place: Path) -> None:
    threads = torch.get_num_threads()
    assert regenerate.baseline(small, place.parents[1], "", 2)[0] == "baseline: no ratio moved"
    assert torch.get_num_threads() == threads


def test_to_loosen_takes_a_reason_which_is_kept(small: Session, place: Path) -> None:
    stored = read_baseline(place)
    assert stored is not None
    tight = {cell: {name: [0.1 * entry[0], *entry[1:]] for name, entry in rows.items()} for cell, rows in stored.cells.items()}
    write_baseline(place, stored.model_copy(update={"cells": tight}))
    before = place.read_bytes()
    with pytest.raises(InputError, match=r"would loosen \d+ entries .* say why with --reason"):
        regenerate.baseline(small, place.parents[1], "", 1)
    assert place.read_bytes() == before
    regenerate.baseline(small, place.parents[1], "a new kernel", 1)
    written = read_baseline(place)
    assert written is not None and written.provenance["reason"] == "a new kernel"
    assert {cell: ratios(rows) for cell, rows in written.cells.items()} == {cell: ratios(rows) for cell, rows in stored.cells.items()}


def ratios(rows: dict[str, list[float]]) -> dict[str, float]:
    return {name: entry[0] for name, entry in rows.items()}


def test_a_red_run_is_no_baseline(small: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    judged = regenerate.judge_by_limits
    monkeypatch.setattr(regenerate, "judge_by_limits", lambda *a: judged(*a).model_copy(update={"verdict": "fail", "reason": "too large"}))
    with pytest.raises(InputError, match=r"2 cells are red, .*too large; a baseline is recorded from a green run only"):
        regenerate.baseline(small, tmp_path, "whatever", 1)
    assert not list(tmp_path.iterdir())


def test_prints_are_added_to_ratios_that_stay(small: Session, place: Path) -> None:
    stored = read_baseline(place)
    assert stored is not None
    write_baseline(place, stored.model_copy(update={"references": {}}))
    assert "prints of 1 blocks" in regenerate.prints(small, place.parents[1], "")[-1]
    assert read_baseline(place) == stored


def test_prints_fit_the_code_that_ratios_were_recorded_with(small: Session, place: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is none to add prints to"):
        regenerate.prints(small, tmp_path / "none", "")
    data = json.loads(place.read_text())
    data["provenance"]["packages"]["torch"] = "0.1"
    place.write_text(json.dumps(data))
    with pytest.raises(InputError, match="recorded with another torch"):
        regenerate.prints(small, place.parents[1], "")


def test_golden_values_are_kept_while_they_stand_and_change_with_a_reason_only(cache: Path, tmp_path: Path) -> None:
    session = Session(Options(systems=(SYSTEM,), cache=cache))
    assert "wrote" in regenerate.golden(session, tmp_path, "")[0]
    files = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert files and regenerate.golden(session, tmp_path, "") == [f"golden {SYSTEM}: unchanged"]
    system = session.systems[SYSTEM]
    frames = [frame.copy() for frame in system.frames]
    frames[0].positions[0, 0] += 1e-6
    session.systems[SYSTEM] = dataclasses.replace(system, frames=frames)  # of the same values: its graph is made already
    with pytest.raises(InputError, match=r"change in 0 tensors: golden builtin:isolated: its structure has changed; say why with --reason"):
        regenerate.golden(session, tmp_path, "")
    session.systems[SYSTEM] = system
    with torch.no_grad():
        session.reference_backend.model.interactions[0].linear.weight.mul_(1 + 1e-9)  # of a model that this test alone has
    with pytest.raises(InputError, match=r"golden values of builtin:isolated change in \d+ tensors: .* say why with --reason"):
        regenerate.golden(session, tmp_path, "")
    assert {path: path.read_bytes() for path in files} == files


def test_bad_input_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert regenerate.main(["--device", "tpu", "--only", "prints"]) == 2
    assert capsys.readouterr().err == "mpcheck: error: unknown device 'tpu'; choose cpu, cuda or cuda:N\n"
