"""What one energy-and-force call of a policy costs, counted: a gate compares it without any noise of clocks."""

from __future__ import annotations

from typing import Any

from mpcheck._garbage import no_collection
from mpcheck._raised import Raised, attempt
from mpcheck.bench.cost.fingerprint import counted
from mpcheck.policy.evaluation import evaluate
from mpcheck.policy.running.applied import PolicyModel
from mpcheck.records.policy_figures import PolicyCost
from mpcheck.records.record import Record
from mpcheck.sessions.policy.study import Study

COST = "cost"
WARM_CALLS = 2
"""Before anything is counted: TorchScript profiles its first call, and replaces operations from the second on."""


def cost(study: Study, made: PolicyModel, about: dict[str, Any]) -> Record:
    """The record of a policy's cost on the user's structures; what the model raises is told by others."""
    session = study.session
    graph = session.graph(study.system)

    def call() -> Any:
        return evaluate(made, graph, session.device)

    def count() -> PolicyCost:
        with no_collection():
            for _ in range(WARM_CALLS):
                call()
            found = counted(call)
        return PolicyCost(
            operations=found.launches, multiply_adds=found.multiply_adds, bytes_moved=found.bytes_moved, casts=sum(found.casts.values())
        )  # fmt: skip

    told = attempt(count)
    if isinstance(told, Raised):
        return Record(**about, variant=COST, verdict="unsupported", reason=f"not counted: the model raised {told.text}")
    return Record(**about, variant=COST, verdict="pass", detail=told)
