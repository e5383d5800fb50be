"""Which block spends how much of a policy's error, and how far each may be lowered within the budget."""

from __future__ import annotations

from collections.abc import Sequence

from mpcheck.formats import F32
from mpcheck.policy.accuracy import Budget
from mpcheck.policy.assignment import assigned
from mpcheck.policy.noise.budget import Spent, error_budget
from mpcheck.policy.noise.downcast import Lowered, downcast
from mpcheck.policy.rules import Policy, builtin
from mpcheck.records.policy_figures import PolicyBlock
from mpcheck.records.record import Planned, Record
from mpcheck.sessions.policy.limits import within
from mpcheck.sessions.policy.study import Study

SHOWN = ("seeds", "linear-bf16", F32)
"""Policies whose budget is told, the first of them that was asked for."""


def records(study: Study, policies: Sequence[Policy], budget: Budget, planned: Planned) -> list[Record]:
    """A record for each block that spends something.

    Raises:
        InputError: a rule that names no block. BaseException: whatever the model raises.
    """
    by_name = {p.name: p for p in policies}
    policy = next((by_name[name] for name in SHOWN if name in by_name), None) or next((p for p in policies if p.rules), builtin()[F32])
    blocks = study.calls.blocks
    spent = error_budget(study.sensitivity, policy, assigned(policy, blocks), study.session.device.type)
    study.session.options.progress(f"{study.system}: limits of {len(blocks)} blocks in 16 bits")
    table = downcast(study.sensitivity, blocks, budget, within=within(study), device=study.session.device.type)
    lowered = {r.block: r for r in table.rows}
    return [_record(row, lowered.get(row.block), policy, planned) for row in spent.rows]


def _record(row: Spent, lowered: Lowered | None, policy: Policy, planned: Planned) -> Record:
    detail = PolicyBlock(
        role=row.role, runs_in=row.format, energy_meV_per_atom=row.energy, force_meV_per_A=row.force, stress_meV_per_A3=row.stress,
        energy_share=row.energy_share, force_share=row.force_share, stress_share=row.stress_share, energy_bound=row.energy_bound,
        force_bound=row.force_bound,
    )  # fmt: skip
    if lowered is not None:
        names = ("alone", "alone_reason", "together", "together_reason")
        detail = detail.model_copy(update={name: getattr(lowered, name) for name in names})
    return Record(**{**planned.about, "subject": row.block, "variant": policy.name}, verdict="pass", detail=detail)
