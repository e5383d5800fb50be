"""The blocks to blame where a policy errs by more than was predicted: each is put back to float64 until the rest errs as it should."""

from __future__ import annotations

import math

from mpcheck._raised import Raised, attempt
from mpcheck._unsupported import Unsupported
from mpcheck.policy.evaluation import evaluate
from mpcheck.policy.noise.bisect import Blame, blamed
from mpcheck.policy.noise.prediction import MEV, rms
from mpcheck.policy.rules import Policy
from mpcheck.sessions.policy.study import Study


def guilty(study: Study, policy: Policy, backend: str, quantity: str, limit: float) -> Blame | None:
    """Who is to blame; None where nobody can be: autocast, what raises with a block in float64, or an error that these structures do not show.

    Args:
        quantity: energy, forces or stress; limit: that its RMS error should not exceed, meV/atom, meV/Å or meV/Å³.
    """
    calls = study.copies(backend)
    atoms = calls.graph["batch"].bincount().to(calls.plain["energy"])

    def measure(own: Policy) -> float:
        made = study.applied(own, backend)
        if isinstance(made, Unsupported):
            return math.inf
        error = evaluate(made, calls.graph, study.session.device).values()[quantity] - calls.plain[quantity]
        error = error / atoms if quantity == "energy" else error
        return MEV * rms(error[~calls.plain[quantity].isnan()])

    leaves = [b.module_path for b in calls.blocks if b.kind == "leaf"]
    found = attempt(lambda: blamed(policy, leaves, measure, limit))  # what is red stays red, whether or not anybody can be blamed
    return None if isinstance(found, Raised) or found.measured <= limit else found
