"""How fast policies are: all of them in turn, in processes of their own."""

from __future__ import annotations

from typing import Any

from mpcheck._text import one_line
from mpcheck.policy.speed.candidates import Candidate
from mpcheck.policy.speed.rounds import RoundPlan
from mpcheck.policy.speed.table import BASES, TradeOff, trade_offs
from mpcheck.policy.speed.timing import Workload, measured
from mpcheck.policy.speed.variants import PLAIN, Variant
from mpcheck.records.policy_figures import PolicySpeed
from mpcheck.records.record import Planned, Record
from mpcheck.sessions.policy import PolicyOptions
from mpcheck.sessions.policy.study import Study

SECONDS_EACH = 0.5
"""Of timed calls of each candidate in a launch."""


def candidates(asked: PolicyOptions, policies: list[str], backends: tuple[str, ...]) -> list[Candidate]:
    """Every policy on every backend, as it is and in the variants; before all what speed-ups are against."""
    variants: list[Variant] = [PLAIN, *asked.variants]  # type: ignore[list-item]  # they were parsed
    own = [Candidate(policy, backend, variant) for backend in backends for policy in policies for variant in variants]
    return list(dict.fromkeys([*(Candidate(base) for base in BASES), *own]))


def records(study: Study, asked: PolicyOptions, policies: list[str], planned: Planned) -> list[Record]:
    """A record for each candidate that was asked for; the bases, too.

    Raises:
        InputError: a launch died.
    """
    ways = candidates(asked, policies, study.session.backend_names)
    workload = Workload(asked, study.system)
    plan = RoundPlan(seconds=SECONDS_EACH * len(ways), seed=asked.seed)
    timings = measured(workload, ways, asked.launches, plan, progress=lambda text: study.session.options.progress(f"speed: {text}"))
    return [record_of(row, planned.about) for row in trade_offs(timings, ways, study.system)]


def record_of(row: TradeOff, planned: dict[str, Any], kind: type[PolicySpeed] = PolicySpeed) -> Record:
    """A timed candidate, or why it was not; ``planned``: what else the record is about, ``kind``: of its figures."""
    about = {**planned, "subject": row.candidate.policy, "backend": row.candidate.backend, "variant": row.candidate.variant}
    if row.unsupported is not None:
        raised = row.unsupported.code == "raised"
        return Record(**about, verdict="fail" if raised else "unsupported", reason=one_line(row.unsupported.text), lacking=row.unsupported.lacking)
    known: dict[str, Any] = row.figures()
    detail = kind(median_ms=known.pop("ms", None), **{n: v for n, v in known.items() if n in kind.model_fields})
    return Record(**about, verdict="pass", detail=detail)
