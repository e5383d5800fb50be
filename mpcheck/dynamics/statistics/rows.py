"""From series of several runs to rows of a table: what is compared with what, paired or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mpcheck.dynamics.statistics.correlated import sampled
from mpcheck.dynamics.statistics.decisions import Row
from mpcheck.dynamics.statistics.equivalence import ALARM, ALPHA, differences, paired, unpaired
from mpcheck.dynamics.trajectory import Floats


@dataclass(frozen=True)
class Asked:
    """How an observable is compared: its unit, and the margin in it."""

    unit: str
    margin: float


@dataclass(frozen=True)
class Run:
    """One seed's run: series [samples] by observable, without its equilibration, and its length in ps."""

    values: Mapping[str, Floats]
    length_ps: float


def rows(
    policy: str,
    ours: Sequence[Run],
    theirs: Sequence[Run],
    asked: Mapping[str, Asked],
    pairs: bool = False,
    alpha: float = ALPHA,
    alarm: float = ALARM,
) -> list[Row]:
    """One row for each observable that is asked for.

    Args:
        policy: its name. ours, theirs: its runs, and the reference's.
        pairs: whether runs pair in their order: the same start and the same thermostat noise.

    Raises:
        ValueError: a run without an observable that is asked for, no run, or pairs that are none.
    """
    return [_row(policy, name, ours, theirs, one, pairs, alpha, alarm) for name, one in asked.items()]


def _row(policy: str, name: str, ours: Sequence[Run], theirs: Sequence[Run], one: Asked, pairs: bool, alpha: float, alarm: float) -> Row:
    if any(name not in run.values for run in (*ours, *theirs)):
        raise ValueError(f"{name} is missing in a run")
    own, other = ([run.values[name] for run in side] for side in (ours, theirs))
    if pairs:
        lengths = [run.length_ps for run in ours]
        level = float(np.average([values.mean() for values in other], weights=[run.length_ps for run in theirs])) if other else 0.0
        return Row(name, policy, one.unit, paired(differences(own, other, lengths), level, one.margin, alpha, alarm))
    sides = [[sampled(run.values[name], run.length_ps) for run in side] for side in (ours, theirs)]
    return Row(name, policy, one.unit, unpaired(sides[0], sides[1], one.margin, alpha, alarm))
