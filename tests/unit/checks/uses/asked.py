"""One finding of the calculator alone."""

from __future__ import annotations

from mpcheck.checks.physics.structure import Case, case_of
from mpcheck.checks.uses import calculator
from mpcheck.judge.context import Key
from mpcheck.records.record import Record
from mpcheck.sessions.run import Session


def asked(run: Session, variant: str) -> Record:
    """One finding of the calculator, before known faults are told apart."""
    return calculator.judge(case_of_doors(run, "calculator"), variant)


def case_of_doors(run: Session, subject: str) -> Case:
    case = case_of(run, Key("doors", subject, "e3nn", "float64"))
    assert isinstance(case, Case)
    return case
