"""Layouts in memory change strides and no value."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch

from mpcheck.checks.physics import strides
from mpcheck.judge.context import Key
from mpcheck.records.record import Record
from mpcheck.sessions.run import Session
from tests import inspections
from tests.faults.planted import replaced_attribute
from tests.unit.checks.physics.judging import WATER


@pytest.mark.parametrize("layout", ["every other element", "columns first", "expanded"])
def test_layouts_change_strides_and_nothing_else(layout: str) -> None:
    t = torch.randn(5, 4, dtype=torch.float64)
    moved = strides.LAYOUTS[layout](t)
    assert not moved.is_contiguous()
    assert torch.equal(moved, t[:1].repeat(5, 1) if layout == "expanded" else t)


LINEAR = "interactions.0.linear"


def judged(run: Session, strided_call: Callable[[Callable[..., torch.Tensor], torch.Tensor], torch.Tensor], own: bool) -> dict[str, Record]:
    """The check on one linear layer that has a path of its own for inputs that are not contiguous.

    Args:
        own: its parameters are ones that no reference has, as a third party's are.
    """
    assert run.backend("e3nn") is run.reference_backend  # both made, so that the copy has the same
    alone = copy.copy(run)
    alone.blocks = lambda system: [b for b in run.blocks(system) if b.name == LINEAR]  # type: ignore[method-assign]
    backend = alone.reference_backend
    linear = backend.model.get_submodule(LINEAR)
    original = linear.forward

    def forward(features: torch.Tensor) -> torch.Tensor:
        return original(features) if features.is_contiguous() else strided_call(original, features)

    prefix = "toy:" if own else ""
    with (
        replaced_attribute(linear, "forward", forward),
        replaced_attribute(backend, "reference_gradients", lambda _, gradients: {prefix + n: g for n, g in gradients.items()}),
    ):
        return {r.variant: r for r in inspections.run("audit", alone, Key("physics", "strided", "e3nn", "float64", WATER))}


@pytest.mark.parametrize("own", [False, True])
def test_another_order_of_roundings_is_no_fault(run: Session, own: bool) -> None:
    """Bits differ in every element, by one or two units in the last place."""
    found = judged(run, lambda original, x: original(x * 3) / 3, own)
    assert {v: r.reason for v, r in found.items() if r.verdict != "pass"} == {}
    assert any(r.ratio for r in found.values())


@pytest.mark.parametrize("own", [False, True])
def test_beyond_roundings_it_is(run: Session, own: bool) -> None:
    found = judged(run, lambda original, x: original(x * (1 + 2.0**-40)), own)
    assert {r.verdict for r in found.values()} == {"fail"}


def test_a_gradient_that_is_lost_is_named(run: Session) -> None:
    found = judged(run, lambda original, x: original(x.detach()) + 0 * x.sum(), False)
    assert {r.verdict for r in found.values()} == {"fail"}
    found = judged(run, lambda original, x: original(x.detach()), False)
    assert {r.verdict for r in found.values()} == {"fail"} and all("which is missing" in r.reason for r in found.values())
