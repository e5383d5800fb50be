"""The blocks to blame where a policy errs by more than was predicted: each is put back to float64 until the rest errs as it should."""

from __future__ import annotations

import math
from dataclasses import replace

import torch

from mpcheck._raised import Raised, attempt
from mpcheck._unsupported import Unsupported
from mpcheck.policy.evaluation import evaluate
from mpcheck.policy.noise.bisect import Blame, blamed
from mpcheck.policy.noise.calls import Calls
from mpcheck.policy.noise.prediction import MEV, Prediction, rms
from mpcheck.policy.rules import Policy
from mpcheck.sessions.policy.study import Study


def guilty(study: Study, policy: Policy, backend: str, quantity: str, limit: float) -> Blame | None:
    """Who is to blame; None where nobody can be: autocast, what raises with a block in float64, or an error that these structures do not show.

    Args:
        quantity: energy, forces or stress; limit: that its RMS error should not exceed, as a multiple of the predicted one: of each trial, for a
            block that errs much by right errs less in float64, too.
    """
    every = study.copies(backend)

    def measure(own: Policy) -> float:
        made = study.applied(own, backend)
        if isinstance(made, Unsupported):
            return math.inf
        error = MEV * rms(torch.cat([_errors(made, calls, quantity, study.session.device) for calls in every]))
        return error / _predicted(study.predicted(own, backend), quantity)

    leaves = [b.module_path for b in every[0].blocks if b.kind == "leaf"]
    found = attempt(lambda: blamed(policy, leaves, measure, limit))  # what is red stays red, whether or not anybody can be blamed
    return None if isinstance(found, Raised) or found.measured <= limit else replace(found, unit=" times the predicted one")


def _predicted(found: Prediction, quantity: str) -> float:
    return {"energy": found.energy_rms, "forces": found.force_rms, "stress": found.stress_rms}[quantity]


def _errors(made: torch.nn.Module, calls: Calls, quantity: str, device: torch.device) -> torch.Tensor:
    """Of a quantity on one batch, where it has one: energies for each atom."""
    right = calls.plain[quantity]
    error = evaluate(made, calls.graph, device).values()[quantity] - right
    if quantity == "energy":
        error = error / calls.graph["batch"].bincount().to(right)
    return error[~right.isnan()]
