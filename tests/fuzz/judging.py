"""Run every part of the suite that a case is for, and say what is red, unexplained or explained."""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mpcheck._errors import InputError, error_line
from mpcheck._raised import raised
from mpcheck.sessions.precision.limits import judge_by_limits
from mpcheck.sessions.run import Session
from tests import inspections
from tests.fuzz.cases import Case

CHECKS: dict[str, str] = {"equivariance": "symmetry", "layout": "symmetry", "dtypes": "audit", "physics": "audit"}
"""Checks that follow the precision cells, and the session that each belongs to."""
PROPERTIES = ("finite-difference", "stress", "node-energies", "net-force", "batch", "smoothness", "edges")
"""Of physics: those that a model or a structure can break. The others are about the process, and have tests of their own."""
PROCESS = ("process", "construction")


@dataclass(frozen=True)
class Note:
    """A cell or a finding: what it is (``CHECK:SUBJECT-BACKEND-FORMAT-…``), its verdict and reason.

    Attributes:
        signature: what kind of thing it is about, without names and numbers; a failure that is made smaller must keep it.
    """

    what: str
    verdict: str
    reason: str
    signature: str

    @property
    def wrong(self) -> bool:
        """Red, or without the reason that everything but a pass owes."""
        return self.verdict == "fail" or (self.verdict != "pass" and not self.reason.strip())


@dataclass
class Judged:
    """Everything that the suite said of a case.

    Attributes:
        refused: why the suite did not take the case at all; empty where it did.
        broken: a traceback, where something was raised that no user should see; empty where nothing was.
    """

    notes: list[Note] = field(default_factory=list)
    refused: str = ""
    broken: str = ""

    @property
    def wrong(self) -> list[str]:
        """What must not be: one line for each red or unexplained note and for a traceback."""
        lines = [f"{n.verdict} {n.what}: {n.reason or 'no reason is given'}" for n in self.notes if n.wrong]
        if self.broken:
            lines.append(f"raised {self.broken}")
        elif not self.refused and not any(n.verdict == "pass" for n in self.notes):
            lines.append("nothing was judged: not one pass")
        return lines

    @property
    def signatures(self) -> set[str]:
        """Kinds of what must not be."""
        broken = {f"raised {self.broken.splitlines()[-1].partition(':')[0]}"} if self.broken else set()
        return {n.signature for n in self.notes if n.wrong} | broken or ({"blind"} if self.wrong else set())

    @property
    def reasons(self) -> list[str]:
        """Every explanation: of a refusal, and of all that neither passed nor failed."""
        return ([self.refused] if self.refused else []) + [n.reason for n in self.notes if n.verdict not in ("pass", "fail")]

    @property
    def tally(self) -> Counter[str]:
        """How often each verdict was given."""
        return Counter(n.verdict for n in self.notes) + Counter({"refused": int(bool(self.refused)), "broken": int(bool(self.broken))})


def precision(session: Session) -> Iterator[Note]:
    """Every cell of every block; judging block by block builds each reference once."""
    for key in session.cells():
        cell = judge_by_limits(session, key)
        what = f"precision:{cell.subject}-{cell.backend}-{cell.format}-{cell.variant}"
        yield Note(what, cell.verdict, cell.reason, f"precision {cell.tensors.role} {cell.backend} {cell.variant}")


def findings(session: Session, check: str) -> Iterator[Note]:
    """Everything that one check of the symmetry or the audit session finds."""
    suite = CHECKS[check]
    for key in inspections.keys(suite, session, [check]):
        if key.subject in PROCESS or (check == "physics" and key.subject not in PROPERTIES):
            continue
        for found in inspections.run(suite, session, key):
            what = f"{check}:" + "-".join(filter(None, (found.subject, found.backend, found.format, found.variant)))
            kind = found.subject if check == "physics" else session_role(session, found.subject)
            yield Note(what, found.verdict, found.reason, f"{check} {kind} {found.backend}")


def session_role(session: Session, subject: str) -> str:
    """The role of a block, or the subject itself where it is none."""
    for system in session.systems:
        for block in session.library(system).blocks():
            if block.name == subject:
                return block.role
    return subject


def where_raised(error: Exception) -> str:
    """The suite's own frames of a traceback, innermost last, and the last line of the message."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "mpcheck" in Path(f.filename).parts]
    lines = [f"{Path(f.filename).name}:{f.lineno} in {f.name}" for f in frames[-4:]]
    return "\n".join([*lines, error_line(error)])


def judge_case(case: Case, directory: Path) -> Judged:
    """The whole run of a case in an empty directory. Nothing is raised: what a user should not see is in ``broken``."""
    judged = Judged()
    try:
        session = case.session(directory)
        judged.notes += precision(session)
        for check in CHECKS:
            judged.notes += findings(session, check)
    except InputError as error:
        judged.refused = str(error)
    except Exception as error:
        told = raised(error)
        if told.place and any(f.name == "capture" for f in traceback.extract_tb(error.__traceback__)):
            judged.refused = f"the model cannot be evaluated on this structure: {told.text}"  # a session says so in a red record for each cell
        else:
            judged.broken = where_raised(error)
    return judged
