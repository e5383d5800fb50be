"""Derivatives of a block's scalar along a direction, analytic against numerical."""

from __future__ import annotations

import math

import pytest
import torch

from mpcheck.checks.physics import small
from mpcheck.checks.physics.differences import BlockFunction, BlockRatio, Derivative, DerivativeComparison, compared, drawn, rounding, worst_of
from mpcheck.checks.physics.structure import Case
from mpcheck.formats import FLOAT64
from mpcheck.judge.context import Key
from mpcheck.sessions.run import Session


@pytest.fixture(scope="module")
def radial(run: Session) -> small.CalledBlock:
    """A radial network, which is curved, and its arguments."""
    backend = run.reference_backend
    case = Case(run, Key("physics", "second-derivatives", "e3nn"), backend.model, backend.device)
    return next(seen for seen in small.blocks(case, backend) if seen.block.name.endswith("conv_tp_weights"))


@pytest.mark.parametrize("order", [1, 2])
def test_a_sound_derivative_is_within_what_is_allowed_and_a_wrong_one_is_not(run: Session, radial: small.CalledBlock, order: int) -> None:
    backend = run.reference_backend
    with backend.prepared(radial.block, FLOAT64):
        function = BlockFunction(backend, radial, 0)
        derivative, direction = function.derivative(order), function.direction(order)  # type: ignore[arg-type]
        sigma = rounding(run, radial, order, 0)  # type: ignore[arg-type]
        sound = compared(function, order, derivative, direction, sigma)  # type: ignore[arg-type]
        scaled = Derivative(derivative.outputs, derivative.first, {n: t * (1 + 1e-4) for n, t in derivative.by.items()})
        wrong = compared(function, order, scaled, direction, sigma)  # type: ignore[arg-type]
    assert set(direction) == set(function.arguments(order))  # type: ignore[arg-type]
    assert sound.ratio <= 1 < wrong.ratio and sound.numeric != 0


def test_parameters_are_put_back(run: Session, radial: small.CalledBlock) -> None:
    backend = run.reference_backend
    with backend.prepared(radial.block, FLOAT64):
        function = BlockFunction(backend, radial, 0)
        before = {n: p.detach().clone() for n, p in function.parameters.items()}
        plain, displaced = function.value(1, {}), function.value(1, function.direction(1))
        assert plain != displaced and function.value(1, {}) == plain
    assert before and all(torch.equal(p, before[n]) for n, p in function.parameters.items())


def test_no_number_is_infinitely_wrong_and_nothing_allowed_is_nothing_apart() -> None:
    assert DerivativeComparison(math.nan, 1.0, 1.0).ratio == math.inf
    assert DerivativeComparison(1.0, 1.0, 0.0).ratio == 0.0 and DerivativeComparison(1.0, 2.0, 0.0).ratio == math.inf
    assert DerivativeComparison(1.0, 2.0, 4.0).ratio == 0.25


def test_numbers_are_drawn_by_their_key() -> None:
    like = torch.zeros(4)
    assert torch.equal(drawn(like, 1, "a"), drawn(like, 1, "a")) and not torch.equal(drawn(like, 1, "a"), drawn(like, 1, "b"))


def test_the_reason_names_the_worst_and_all_that_fail() -> None:
    rows = [BlockRatio("a", 0.5, "fine"), BlockRatio("b", 3.0, "is off"), BlockRatio("c", 3.0, "too"), BlockRatio("d", 2.0, "also")]
    worst, reason = worst_of(rows)
    assert worst.block == "b" and reason == "b: is off; so does c, d"
    assert worst_of([])[0] == BlockRatio("")
    assert worst_of([BlockRatio(n, 2.0) for n in "abcdefgh"])[1].endswith("; so does b, c, d, e and 3 more")
