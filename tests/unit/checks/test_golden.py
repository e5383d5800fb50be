"""Golden values see a relative change of 1e-12 and name the block where it began."""

from __future__ import annotations

import pytest
import torch

from mpcheck.checks.golden import compare_golden, measure, measure_noise
from mpcheck.judge.tolerances import limits_for
from mpcheck.sessions.run import Session
from tests.conftest import SYSTEM


@pytest.fixture(scope="module")
def golden_parts(session: Session) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    graph, model = session.graph(SYSTEM), session.reference_backend.model
    values = measure(model, graph)
    return values, measure_noise(model, graph, values, 0)


@pytest.mark.slow
def test_golden_sees_a_relative_change_of_1e_12(session: Session, golden_parts: tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]) -> None:
    from mpcheck.checks.golden import Golden

    values, noise = golden_parts
    golden = Golden(session.systems[SYSTEM].frames, values, noise, {})
    limits = limits_for(session.tolerances, "golden", "e3nn", "float64", "forward")
    assert not [row for row in compare_golden(golden, measure(session.reference_backend.model, session.graph(SYSTEM)), limits) if row.red]
    weight = session.reference_backend.model.interactions[0].linear.weight
    saved = weight.data
    try:
        weight.data = saved * (1 + 1e-12)
        changed = compare_golden(golden, measure(session.reference_backend.model, session.graph(SYSTEM)), limits)
    finally:
        weight.data = saved
    failed = {row.tensor for row in changed if row.red}
    assert "interactions.0.linear:out" in failed
    assert "interactions.0.conv_tp:out" not in failed
