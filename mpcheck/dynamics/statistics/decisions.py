"""One decision for each observable and policy, with as few false alarms in the whole table as in one row.

*Different* is an alarm, and any of the rows may raise a false one: p-values are corrected over all rows (Holm 1979), so that identical ensembles
give an alarm anywhere with probability ``alarm`` at most, whatever the observables have in common. *Equivalent* needs no correction: a
policy is passed only where every observable is equivalent, so the wrong claim needs the wrong answer in a row that is truly apart, whose
probability is ``alpha`` (intersection-union test, Berger 1982, doi:10.2307/2346887). That holds for each policy's claim on its own.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from mpcheck.bench.decide.decision import holm
from mpcheck.dynamics.statistics.equivalence import ALARM, ALPHA, Comparison

Outcome = Literal["equivalent", "different", "cannot tell"]
EQUIVALENT: Outcome = "equivalent"
DIFFERENT: Outcome = "different"
CANNOT_TELL: Outcome = "cannot tell"


@dataclass(frozen=True)
class Row:
    """What is to be decided: an observable of a policy, its unit, and the comparison with the reference."""

    observable: str
    policy: str
    unit: str
    comparison: Comparison


@dataclass(frozen=True)
class Decision:
    """What was decided of one observable of one policy; figures as in :class:`~mpcheck.dynamics.statistics.equivalence.Comparison`.

    Attributes:
        low, high: None where nothing tells them. effective: None where unknown.
        p_adjusted: of no difference, corrected over all rows of the table.
        needed_ps: None where it was decided, too.
    """

    observable: str
    policy: str
    unit: str
    reference: float
    mean: float
    difference: float
    low: float | None
    high: float | None
    margin: float
    decision: Outcome
    p_equivalence: float
    p_difference: float
    p_adjusted: float
    effective: float | None
    seeds: int
    length_ps: float
    needed_ps: float | None
    apart: bool


def decide(rows: Iterable[Row], alpha: float = ALPHA, alarm: float = ALARM) -> list[Decision]:
    """Decisions in the order of the rows.

    Raises:
        ValueError: an observable of a policy twice.
    """
    listed = list(rows)
    table = {(row.policy, row.observable): row for row in listed}
    if len(table) != len(listed):
        raise ValueError("an observable of a policy occurs twice")
    names = {f"{policy}: {observable}": (policy, observable) for policy, observable in table}
    adjusted = holm({name: table[key].comparison.p_difference for name, key in names.items()})
    return [_decision(table[key], adjusted[name], alpha, alarm) for name, key in names.items()]


def _decision(row: Row, adjusted: float, alpha: float, alarm: float) -> Decision:
    one = row.comparison
    said: Outcome = CANNOT_TELL
    if one.p_equivalence < alpha:
        said = EQUIVALENT
    elif adjusted < alarm and abs(one.difference) > one.margin:
        said = DIFFERENT
    return Decision(
        row.observable, row.policy, row.unit, one.reference, one.mean, one.difference, _finite(one.low), _finite(one.high), one.margin, said,
        one.p_equivalence, one.p_difference, adjusted, _finite(one.effective), one.seeds, one.length_ps,
        one.needed_ps if said == CANNOT_TELL else None, one.apart,
    )  # fmt: skip


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def passed(decisions: Iterable[Decision], policy: str) -> bool:
    """Whether a policy is equivalent in every observable that was looked at; False where none was."""
    own = [one.decision for one in decisions if one.policy == policy]
    return bool(own) and all(one == EQUIVALENT for one in own)
