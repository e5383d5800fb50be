"""How far a survey has come: what is kept between its runs."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mpcheck._files.documents import DocumentKind
from mpcheck._files.io import digest
from mpcheck._files.yaml import Strict
from mpcheck.records.record import Record
from mpcheck.survey.part import Part, Scale

REMEDY = "remove it, or give another --out"
Status = Literal["running", "ended", "broken"]


class PartState(Strict):
    """One part.

    Attributes:
        key: of what it ran, see :func:`key_of`; a part that has become another one is run again.
        status: ``running`` until it has ended, so that a killed survey knows; ``broken`` where it hung, crashed, or left nothing to judge.
        tries: how often it was begun. mpcheck: digest of the code that ran it.
        records: what it found.
    """

    name: str
    key: str
    status: Status
    tries: int = Field(default=0, ge=0)
    mpcheck: str = ""
    began: str = ""
    seconds: float = Field(default=0.0, ge=0)
    records: list[Record] = []

    @property
    def red(self) -> bool:
        """Whether a record of it is."""
        return any(record.red for record in self.records)


class SurveyState(Strict):
    """All of them.

    Attributes:
        device, slug: as it was asked for, and what it is; of another one nothing is kept. size: ``toy`` or ``full``.
        left_out: names of files that the archive had no room for.
    """

    schema_version: Literal[1] = 1
    suite: Literal["survey-state"] = "survey-state"
    device: str
    slug: str
    size: Literal["toy", "full"]
    parts: dict[str, PartState] = {}
    left_out: list[str] = []

    def settled(self, part: Part, key: str, mpcheck: str) -> bool:
        """Whether a part need not run: it has ended and is still the same one; where it was red, by the same code, too."""
        known = self.parts.get(part.name)
        if known is None or known.status != "ended" or known.key != key:
            return False
        return not known.red or known.mpcheck == mpcheck

    def tries(self, part: Part) -> int:
        """How often it was begun and did not end as it should."""
        known = self.parts.get(part.name)
        return known.tries if known is not None and known.status != "ended" else 0


KIND = DocumentKind(SurveyState, "state of a survey", 1, REMEDY, "survey-state")


def key_of(part: Part, scale: Scale) -> str:
    """What a part does, as a digest."""
    variables = [f"{name}={value}" for name, value in sorted(part.variables.items())]
    return digest(part.session, part.module, scale.kind, scale.size, *variables, *part.words_at(scale, "{out}"))[:16]
