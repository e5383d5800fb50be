"""A survey's records: one of each part, and what it found, in the schema of every session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mpcheck import __version__
from mpcheck._names import SURVEY_PART
from mpcheck._text import counted
from mpcheck.records.document import Environment, JudgedModel, Option, Records, State
from mpcheck.records.record import Planned, Record
from mpcheck.survey.part import Part, Scale
from mpcheck.survey.state import SurveyState

SEVERAL = "several"
"""What stands for the model: each part has its own."""


def not_started(part: Part, scale: Scale, left: float, limit: float) -> Record:
    """A part that there was no time for."""
    estimate = part.cost_at(scale).estimate
    reason = f"not started: it takes about {estimate:.0f} s, and of {limit:.0f} s {max(left, 0.0):.0f} s were left; run again with the same --out"
    return Record(check=SURVEY_PART, subject=part.name, verdict="inconclusive", reason=reason, key=part.name)


def document(
    session: str, state: SurveyState, parts: Sequence[Part], missing: Mapping[str, Record], facts: Mapping[str, Any], standing: State, why: str = ""
) -> Records:
    """Everything that is known by now.

    Args:
        session: the survey's name. parts: all that are registered and fit the device. missing: by name, records of parts that were asked for
            and have none of their own. facts: environment, options, seconds.
    """
    planned = [part for part in parts if part.name in missing or part.name in state.parts]
    records = [record for part in planned for record in _of(part, state, missing)]
    left_out = [part.name for part in parts if part not in planned]
    return Records(
        suite=session, mpcheck=__version__, state=standing, why=why, narrowed={"parts": left_out} if left_out else {},
        plan=[Planned(key=part.name, check=SURVEY_PART, subject=part.name) for part in planned],
        environment=Environment.model_validate(facts["environment"]), model=JudgedModel(name=SEVERAL, digest=""), systems=[],
        options=dict[str, Option](facts["options"]), seconds=round(float(facts["seconds"]), 1), records=records,
    )  # fmt: skip


def _of(part: Part, state: SurveyState, missing: Mapping[str, Record]) -> list[Record]:
    known = state.parts.get(part.name)
    if known is not None and known.records:
        return known.records
    return [missing[part.name]] if part.name in missing else []


def notes(state: SurveyState, mpcheck: str, left_out: Sequence[str]) -> list[str]:
    """What a reader must see beside the records."""
    others = [name for name, one in state.parts.items() if one.mpcheck and one.mpcheck != mpcheck]
    told = []
    if state.size == "toy":
        told.append("at toy size: it shows that the survey works, and nothing of it is a baseline")
    if others:
        told.append(f"{counted(len(others), 'part')} ran with another mpcheck than this one: {', '.join(others)}")
    if left_out:
        told.append(f"the archive had no room for {counted(len(left_out), 'file')}; left-out.txt in it names them")
    return told
