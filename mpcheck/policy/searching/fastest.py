"""The fastest of the policies that were measured within a budget: timed in turn, beside what they replace."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mpcheck._files.io import write_text
from mpcheck._names import REFERENCE_BACKEND
from mpcheck.policy.accuracy import Budget
from mpcheck.policy.families import as_yaml
from mpcheck.policy.rules import Policy, builtin
from mpcheck.policy.searching.search import Choice, Errors, Ranked, Refused, verified
from mpcheck.policy.speed.candidates import Candidate
from mpcheck.policy.speed.rounds import RoundPlan
from mpcheck.policy.speed.table import BASES, TradeOff, trade_offs
from mpcheck.policy.speed.timing import LAUNCHES, Timings, Workload, measured
from mpcheck.policy.speed.variants import PLAIN, Variant

FINALISTS = 3
"""Policies within the budget that are timed in turn at the end: costs that were added up are estimates."""
Timed = Callable[[Sequence[Policy]], Sequence[tuple[Policy, TradeOff]]]
"""Rows of policies, in every variant that is wanted."""


@dataclass(frozen=True)
class Winner:
    """What a search ends with.

    Attributes:
        choice: the policy with its measured errors; its ``chosen`` is None where nothing is within the budget.
        row: it as it was timed; None where it was not. rows: of all that were timed in the end, float64 and float32 among them.
    """

    choice: Choice
    row: TradeOff | None = None
    rows: tuple[TradeOff, ...] = field(default=())


def finalists(
    candidates: Sequence[Ranked], measure: Errors, budget: Budget, most: int = FINALISTS, progress: Callable[[str], None] = lambda _: None
) -> list[Choice]:
    """The first candidates that are measured within the budget, at most so many, each with what was refused before it.

    A choice of nothing where there is none.
    """
    found: list[Choice] = []
    refused: tuple[Refused, ...] = ()
    left = list(candidates)
    while len(found) < most:
        choice = verified(left, measure, budget, progress)
        refused += choice.refused
        if choice.chosen is None:
            return found or [Choice(None, refused=refused)]
        found.append(Choice(choice.chosen, choice.energy, choice.force, refused))
        left = left[left.index(choice.chosen) + 1 :]
    return found


def winner(choices: Sequence[Choice], budget: Budget, timed: Timed) -> Winner:
    """The fastest of those that were measured within the budget, timed in turn.

    A row whose own errors are beyond the budget, as a compiler may make them, is no winner. Where none was timed, it is the first choice.
    """
    known = {c.chosen.policy.name: c for c in choices if c.chosen is not None}
    if not known:
        return Winner(choices[-1])
    told = list(timed([c.chosen.policy for c in choices if c.chosen is not None]))
    sound = [(row.milliseconds, place) for place, (policy, row) in enumerate(told) if policy.name in known and _within(row, budget)]
    rows = tuple(row for _, row in told)
    if not sound:
        return Winner(choices[0], rows=rows)
    policy, row = told[min(sound, key=lambda timed: timed[0] or math.inf)[1]]
    return Winner(known[policy.name], row, rows)


def _within(row: TradeOff, budget: Budget) -> bool:
    return row.milliseconds is not None and row.errors is not None and budget.allows(row.errors.energy, row.errors.force)


def timed_with(
    workload: Workload, backend: str = REFERENCE_BACKEND, variants: Sequence[Variant] = (PLAIN,), launches: int = LAUNCHES,
    plan: RoundPlan | None = None, progress: Callable[[str], None] = lambda _: None,
) -> Timed:  # fmt: skip
    """Times policies beside float64 and float32 on e3nn as they are."""

    def timed(policies: Sequence[Policy]) -> list[tuple[Policy, TradeOff]]:
        named = builtin()
        with tempfile.TemporaryDirectory() as folder:
            ways = {Candidate(base): named[base] for base in BASES}
            for place, policy in enumerate(policies):
                where = policy.name
                if named.get(policy.name) != policy:
                    where = str(Path(folder) / f"{place}.yaml")
                    write_text(Path(where), as_yaml(policy))
                ways |= {Candidate(where, backend, variant): policy for variant in variants}
            timings = measured(workload, list(ways), launches, plan, progress=progress)
        rows = trade_offs(timings, list(ways), workload.system, workload.batch)
        return [(policy, row) for policy, row in zip(ways.values(), rows, strict=True)]

    return timed


def named_seconds(
    timings: Timings, candidates: Mapping[str, Candidate], policies: Mapping[str, Policy], base: str, seconds: float
) -> dict[str, tuple[Policy, float]]:
    """Policies with seconds of a call, in units of another launch, in which the base took ``seconds``: launches differ by percents.

    Args:
        candidates, policies: by name, the base among the former.
    """
    reference = candidates[base].id
    gained = {name: timings.speedup(candidates[name].id, reference) for name in policies}
    return {name: (policies[name], seconds / by.ratio) for name, by in gained.items() if by is not None}
