"""Pictures of the policy session: speed against accuracy, and where a policy's error comes from."""

from __future__ import annotations

import math

from mpcheck._names import POLICY, POLICY_BUDGET, POLICY_SPEED
from mpcheck.records.document import Records
from mpcheck.records.policy_figures import PolicyBlock, PolicyErrors, PolicySpeed
from mpcheck.report.pictures.base import Picture
from mpcheck.report.pictures.goals import Quantity
from mpcheck.report.pictures.pareto import Mark, pareto_picture
from mpcheck.report.pictures.spending import TOTAL, Spent, spending_picture
from mpcheck.report.pictures.words import slug

QUANTITIES: tuple[Quantity, ...] = ("force", "energy")
FIGURE = {"force": "force_meV_per_A", "energy": "energy_meV_per_atom"}
EXACT = 1e-9
"""meV/Å or meV/atom: below it float64 itself rounds."""


def pictures(document: Records) -> list[Picture]:
    """All that there are, of every system."""
    made = []
    for system in dict.fromkeys(r.system for r in document.records if r.system):
        for quantity in QUANTITIES:
            name = slug(document.suite, "pareto", quantity, system)
            made.append(pareto_picture(marks(document, system, quantity), quantity, "float64 on e3nn", document.environment.device_name, name))
        made.append(_spending(document, system))
    return [p for p in made if p is not None]


def marks(document: Records, system: str, quantity: Quantity) -> list[Mark]:
    """A mark for each policy, backend and variant that was timed and measured. A variant errs as the policy does: it is compared before."""
    errors = {(r.subject, r.backend): r.detail for r in document.of(POLICY) if r.system == system and isinstance(r.detail, PolicyErrors)}
    found = []
    for record in document.of(POLICY_SPEED):
        own, speed = errors.get((record.subject, record.backend)), record.detail
        if record.system != system or own is None or not isinstance(speed, PolicySpeed) or speed.speedup_float64 is None:
            continue
        error = getattr(own, FIGURE[quantity])
        error = math.nan if error is None else 0.0 if error < EXACT else error
        low, high = speed.speedup_float64_low or speed.speedup_float64, speed.speedup_float64_high or speed.speedup_float64
        found.append(Mark(record.subject, record.backend, record.variant, speed.speedup_float64, low, high, error))
    return found


def _spending(document: Records, system: str) -> Picture | None:
    blocks = [r for r in document.of(POLICY_BUDGET) if r.system == system and isinstance(r.detail, PolicyBlock)]
    if not blocks:
        return None
    policy = blocks[0].variant
    rows = [Spent(r.subject, r.detail.runs_in, r.detail.force_meV_per_A) for r in blocks if isinstance(r.detail, PolicyBlock)]
    whole = next((r.detail for r in document.of(POLICY) if (r.system, r.subject) == (system, policy) and isinstance(r.detail, PolicyErrors)), None)
    predicted = math.sqrt(sum((r.predicted or 0.0) ** 2 for r in rows))
    total = Spent(TOTAL, policy, predicted, whole.force_meV_per_A if whole is not None else None)
    return spending_picture(rows, total, "force", policy, slug(document.suite, "spending", system))
