"""Whether a block alone keeps within its limits in a format, as the precision session judges it."""

from __future__ import annotations

from collections.abc import Sequence

from mpcheck._names import REFERENCE_BACKEND
from mpcheck._raised import Raised, attempt
from mpcheck._torch_state import neutral
from mpcheck.checks.precision import CellKey
from mpcheck.formats import Compute, get_format
from mpcheck.judge.follows import follow_cell
from mpcheck.judge.replay import DIRECTIONS
from mpcheck.policy.noise.downcast import Within
from mpcheck.records.verdicts import Verdict
from mpcheck.sessions.policy.study import Study

BEYOND: tuple[Verdict, ...] = ("fail", "known-fault")


def within(study: Study) -> Within:
    """The judgement of a study's blocks on e3nn, forward and backward; references of blocks are those of ``mpcheck run``, made at first use.

    None where nothing was judged: the format has no such operation, or its results are no evidence.
    """
    session, system = study.session, study.system

    @neutral()
    def verdicts(block: str, fmt: Compute) -> Sequence[Verdict]:
        names = [b.name for b in session.library(system).blocks() if b.module_path == block]
        keys = [CellKey(system, name, REFERENCE_BACKEND, fmt, direction) for name in names for direction in DIRECTIONS]
        return [follow_cell(session, session.check(system).replayed(key, get_format(fmt))).verdict for key in keys]

    def judged(block: str, fmt: Compute) -> bool | None:
        found = attempt(lambda: verdicts(block, fmt))
        if isinstance(found, Raised) or not set(found) & {"pass", "degraded", *BEYOND}:
            return None
        return not set(found) & set(BEYOND)

    return judged
