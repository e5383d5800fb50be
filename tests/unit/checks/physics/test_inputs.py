"""Poisoned memory and repeated calls leave nothing global changed."""

from __future__ import annotations

import torch

from mpcheck.checks.physics import inputs as physics_inputs
from mpcheck.checks.physics import properties as physics
from mpcheck.sessions.run import Session
from tests import inspections


def test_nothing_global_is_changed(session: Session) -> None:
    before = (
        torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled(), torch.get_default_dtype(),
        torch.utils.deterministic.fill_uninitialized_memory, torch.random.get_rng_state(),
    )  # fmt: skip
    with physics_inputs.poisoned():
        assert torch.isnan(torch.empty(3)).all()
    keys = [key for key in physics.INSPECTION.keys(session) if key.backend == "e3nn" and key.subject in ("repeat", "smoothness")]
    assert {r.check for key in keys for r in inspections.run("audit", session, key)} == {"physics"} and len(keys) == 2
    after = (
        torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled(), torch.get_default_dtype(),
        torch.utils.deterministic.fill_uninitialized_memory, torch.random.get_rng_state(),
    )  # fmt: skip
    assert before[:4] == after[:4]
    assert torch.equal(before[4], after[4])
