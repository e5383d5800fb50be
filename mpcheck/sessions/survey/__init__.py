"""The survey session: what a device can do, in parts, within a budget of time; and the baselines that it leaves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from mpcheck._files.kinds import ARCHIVE
from mpcheck._names import SURVEY_FOUND, SURVEY_PART
from mpcheck.sessions.contract import SessionSpec
from mpcheck.sessions.options import CACHE, DEVICE, Option

ARCHIVE_NAME = "survey.zip"
"""Logs, records and baselines, beside ``survey.json``."""


@dataclass(frozen=True)
class SurveyOptions:
    """What the survey session takes.

    Attributes:
        minutes: that it may take. parts: names or subjects, as glob patterns; empty for all.
        size: ``toy`` or ``full``; empty for what the device and the minutes allow.
        again: whether parts run that have run already. listed: only list the parts; dry_run: only say what would run when.
    """

    device: Annotated[str, DEVICE] = "cpu"
    minutes: Annotated[float, Option("end within so many minutes", metavar="M", least=0.5, most=10_080)] = 9.0
    parts: Annotated[tuple[str, ...], Option("part, or subject of parts, as a glob pattern; default: all")] = ()
    size: Annotated[str, Option("toy or full; default: full, on a CPU with less than half an hour toy", metavar="SIZE")] = ""
    again: Annotated[bool, Option("run parts again that have ended well, too")] = False
    listed: Annotated[bool, Option("list the parts, and run none", name="list")] = False
    dry_run: Annotated[bool, Option("say what would run when, and run nothing")] = False
    cache: Annotated[Path | None, CACHE] = None


SESSION = SessionSpec(
    name="survey",
    title="Survey a device within a budget of time: what it computes, how fast, and the baselines to gate it by.",
    order=60,
    options=SurveyOptions,
    start="mpcheck.sessions.survey.start:start",
    checks=(SURVEY_PART, SURVEY_FOUND),
    columns=("subject",),
    compared="findings",
    parallel=False,
    gateable=False,
    extra=((ARCHIVE_NAME, ARCHIVE),),
)
