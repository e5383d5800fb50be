"""The fastest policy within the budget: searched by prediction, returned only where it was measured to keep it."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping

from mpcheck._errors import InputError
from mpcheck._unsupported import Unsupported
from mpcheck.formats import BF16, F16, FLOAT32, FLOAT64, Compute
from mpcheck.policy.accuracy import Budget
from mpcheck.policy.families import as_yaml, families
from mpcheck.policy.judging.errors import judge_errors
from mpcheck.policy.rules import Policy, builtin
from mpcheck.policy.searching.costs import measured_costs
from mpcheck.policy.searching.fastest import finalists, named_seconds, timed_with, winner
from mpcheck.policy.searching.search import Choice, search
from mpcheck.policy.speed.candidates import Candidate
from mpcheck.policy.speed.rounds import RoundPlan
from mpcheck.policy.speed.speedup import Speedup
from mpcheck.policy.speed.timing import Workload, measured
from mpcheck.records.policy_figures import PolicyChoice
from mpcheck.records.record import Planned, Record
from mpcheck.sessions.policy import PolicyOptions
from mpcheck.sessions.policy.study import Study

FORMATS: tuple[Compute, ...] = (BF16, F16)
SECONDS_EACH = 0.5


def records(study: Study, asked: PolicyOptions, policies: Mapping[str, Policy], budget: Budget, planned: Planned) -> tuple[list[Record], str]:
    """The record of the search, and the policy that it found as YAML; empty where none was.

    Raises:
        InputError: a launch died.
    """
    said = functools.partial(_said, study)
    workload = Workload(asked, study.system)
    found = families(study.calls.blocks)
    costs = measured_costs(workload, found, FORMATS, backend=planned.backend, plan=RoundPlan(SECONDS_EACH * 2 * len(found)), progress=said)
    if costs is None:
        return [Record(**planned.about, verdict="unsupported", reason=f"float32 does not run on {planned.backend} here")], ""
    policies = {FLOAT64.name: builtin()[FLOAT64.name], **policies}  # within any budget, and what remains where nothing else is
    ways = {name: Candidate(name, planned.backend) for name in (FLOAT32.name, *policies)}
    timings = measured(workload, list(ways.values()), plan=RoundPlan(SECONDS_EACH * len(ways)), launches=1, progress=said)
    named = named_seconds(timings, ways, policies, FLOAT32.name, costs.seconds)
    ranked = search(found, FORMATS, lambda p: _predicted(study, p, planned.backend), [costs], budget, named)
    choices = finalists(ranked, lambda p: _measured(study, p, planned.backend), budget, progress=said)
    best = winner(choices, budget, timed_with(workload, planned.backend, launches=2, plan=RoundPlan(4.0), progress=said))
    choice = best.choice
    text = as_yaml(choice.chosen.policy) if choice.chosen is not None else ""
    faster = best.row.to_float64 if best.row is not None else None
    detail = _detail(choice, budget, text, faster)
    reason = "" if choice.chosen is not None else f"no policy is within {budget}: {'; '.join(detail.refused or ())[:400]}"
    return [Record(**planned.about, verdict="pass" if choice.chosen else "inconclusive", reason=reason, detail=detail)], text


def _said(study: Study, text: str) -> None:
    study.session.options.progress(f"search: {text}")


def _predicted(study: Study, policy: Policy, backend: str) -> tuple[float, float]:
    found = study.predicted(policy, backend)
    return found.energy_rms, found.force_rms


def _measured(study: Study, policy: Policy, backend: str) -> tuple[float, float]:
    """Errors end to end on the device.

    Raises:
        InputError: it cannot run, or gives values that are no numbers.
    """
    made = study.applied(policy, backend)
    if isinstance(made, Unsupported):
        raise InputError(made.text)
    report = judge_errors(made, study.session.model, study.sets, study.reference, study.session.device)
    if not report.sound or report.judged is None:
        told = [*report.raised, *(n.text for n in report.nonfinite), report.refused]
        raise InputError(next((t for t in told if t), "values that are no numbers"))
    energy, force = report.judged.energy_meV_per_atom.rms, report.judged.force_rms_meV_per_A
    return (math.nan if energy is None else energy, math.nan if force is None else force)


def _detail(choice: Choice, budget: Budget, text: str, faster: Speedup | None) -> PolicyChoice:
    refused = [f"{r.candidate.policy.name} ({r.candidate.policy.title}): {r.reason}" for r in choice.refused]
    own = choice.chosen
    if own is None:
        return PolicyChoice(budget=str(budget), refused=refused or None)
    found = PolicyChoice(
        budget=str(budget), policy=own.policy.name, title=own.policy.title, rules=text, energy_meV_per_atom=choice.energy,
        force_meV_per_A=choice.force, predicted_energy_meV_per_atom=own.energy, predicted_force_meV_per_A=own.force, refused=refused or None,
    )  # fmt: skip
    if faster is None:
        return found
    return found.model_copy(update={"speedup_float64": faster.ratio, "speedup_float64_low": faster.low, "speedup_float64_high": faster.high})
