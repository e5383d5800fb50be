"""Golden values see a relative change of 1e-12 and name the block where it began."""

from __future__ import annotations

import pytest
import torch

from mpcheck.checks.golden import Golden, compare_golden, measure, measure_noise
from mpcheck.judge.tolerances import limits_for, load_tolerances
from mpcheck.sessions.run import Session
from tests.conftest import SYSTEM


@pytest.fixture(scope="module")
def golden_parts(session: Session) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    graph, model = session.graph(SYSTEM), session.reference_backend.model
    values = measure(model, graph)
    return values, measure_noise(model, graph, values, 0)


@pytest.mark.slow
def test_golden_sees_a_relative_change_of_1e_12(session: Session, golden_parts: tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]) -> None:
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


@pytest.mark.parametrize(("change", "red"), [(0.0, False), (1e-16, False), (1e-14, True)])
def test_what_nothing_rounded_may_be_rounded_by_other_code(change: float, red: bool) -> None:
    """A value that was gathered, and is computed now: noise decides, and the bits differ."""
    generator = torch.Generator().manual_seed(1)
    value = torch.rand(1000, dtype=torch.float64, generator=generator) + 1
    golden = Golden([], {"gather:out": value}, {"gather:out": torch.zeros_like(value)}, {})
    today = value * (1 + change * torch.randn(1000, dtype=torch.float64, generator=generator))
    limits = limits_for(load_tolerances(None), "golden", "e3nn", "float64", "forward")
    (found,) = compare_golden(golden, {"gather:out": today}, limits)
    assert found.red is red and bool((today != value).any()) is (change > 0)
