"""Backends in turns, the sweep, and what a profile session writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from mpcheck._errors import InputError
from mpcheck.records.document import read_records
from mpcheck.report.pictures.blocks import parts_of
from mpcheck.sessions.profile.run import ProfilePlan, profile_session
from mpcheck.sessions.profile.tables import maps, markdown, number, render
from mpcheck.sessions.run import Options

SYSTEM = "builtin:water:3"


@pytest.fixture(scope="module")
def session_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("profile")
    options = Options(systems=(SYSTEM,), backends=("e3nn",), formats=("float32", "tf32"))
    profile_session(options, ProfilePlan(("energy",), calls=1, latency_seconds=0.0), out)
    return out


def test_a_session_writes_records_that_can_be_read_back(session_files: Path) -> None:
    run = read_records(session_files / "profile.json")
    blocks = [f for f in run.findings if f.check == "profile" and f.verdict == "pass"]
    assert run.suite == "profile"
    assert sum(number(f, "share") for f in blocks) == pytest.approx(1, abs=1e-4)
    assert "emulated on a CPU" in next(f.reason for f in run.findings if f.verdict == "unsupported")
    text = (session_files / "profile.md").read_text()
    assert text == markdown(run)
    assert all(f.subject in text.replace("\\", "") for f in blocks)
    assert "emulated on a CPU" in render(run)
    assert max(map(len, render(run).splitlines()[:-2])) <= 100


def test_pictures_show_every_block_s_time(session_files: Path) -> None:
    run = read_records(session_files / "profile.json")
    drawn = sum(sum(parts_of(f, cpu=True)) for f in maps(run)[f"{SYSTEM}*1", "float32", "energy", "e3nn"])
    assert drawn == pytest.approx(number(run.findings[0], "end_to_end_ms"), rel=0.01)
    assert {p.name for p in session_files.glob("*.svg")} == {"profile-energy.svg", "profile-latency.svg"}
    assert not list(session_files.glob("*.png"))


def test_nothing_measured_is_an_error_and_writes_no_record(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing was measured"):
        profile_session(Options(systems=(SYSTEM,), backends=("e3nn",), formats=("tf32",)), ProfilePlan(("energy",), calls=1), tmp_path)
    assert list(tmp_path.iterdir()) == []
