"""How the profile session starts: options are typed before anything is imported, and its outcome is the exit status."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mpcheck._errors import InputError
from mpcheck.records.record import Record
from mpcheck.sessions.profile import SESSION, ProfileOptions, run
from mpcheck.sessions.profile.run import ProfilePlan
from mpcheck.sessions.profile.start import start
from tests.unit.record_samples import findings

RAISED = Record(check="profile", subject="model", verdict="fail", reason="raised X", backend="e3nn", format="float32", variant="energy")


@pytest.mark.parametrize(
    ("given", "plan"),
    [
        ({}, ProfilePlan(("energy", "energy+forces"))),
        ({"work": ["energy"], "batch": "4", "calls": 7, "sweep_seconds": "9"}, ProfilePlan(("energy",), 4, 5, 7)),
        ({"sweep": True, "sweep-seconds": "9"}, ProfilePlan(("energy", "energy+forces"), sweep_seconds=9.0)),
    ],
)
def test_options_are_the_plan_and_what_is_red_the_exit_status(
    given: dict[str, Any], plan: ProfilePlan, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = list[tuple[ProfileOptions, ProfilePlan, Path]]()
    document = findings("profile", RAISED)
    monkeypatch.setattr(run, "profile_session", lambda *arguments: asked.append(arguments) or (document, [tmp_path / "profile.json"]))
    assert start(SESSION, given, tmp_path) == 1
    ((options, planned, out),) = asked
    assert (options.formats, planned, out) == (("float32",), plan, tmp_path)
    assert "profile.json" in capsys.readouterr().out


def test_a_number_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--calls is 0"):
        start(SESSION, {"calls": "0"}, tmp_path)
