"""Policies over size: supercells and batches of diamond, timed and measured in one launch, in the layout of the thesis' Table 4.2."""

from __future__ import annotations

from mpcheck._errors import InputError
from mpcheck.policy.speed.supercells import BATCHES, SYSTEM, SizePoint, grid, sweep
from mpcheck.records.policy_figures import PolicySize
from mpcheck.records.record import Planned, Record
from mpcheck.sessions.policy import PolicyOptions
from mpcheck.sessions.policy.speed import candidates, record_of
from mpcheck.sessions.run import Session

ELEMENT = "C"


def possible(session: Session) -> None:
    """Refuse a model that cannot compute the supercells.

    Raises:
        InputError: it knows no carbon.
    """
    if ELEMENT not in session.model.elements:
        known = ", ".join(session.model.elements)
        raise InputError(f"--sweep: {SYSTEM}:N is of {ELEMENT}, and {session.model.name} knows {known} alone; leave --sweep out")


def records(session: Session, asked: PolicyOptions, policies: list[str], planned: Planned) -> list[Record]:
    """A record of each candidate at each size and batch, and one of each that was left out.

    Raises:
        InputError: the launch died.
    """
    points = sweep(
        asked, candidates(asked, policies, session.backend_names), grid(range(1, asked.sweep + 1), BATCHES), asked.sweep_seconds,
        progress=lambda text: session.options.progress(f"sweep: {text}"),
    )  # fmt: skip
    return [record for point in points for record in _point(point, planned)]


def _point(point: SizePoint, planned: Planned) -> list[Record]:
    about = {**planned.about, "system": point.system, "batch": point.batch}
    if point.left_out:
        return [Record(**about, verdict="unsupported", reason=point.left_out)]
    return [record_of(row, about, PolicySize) for row in point.rows]
