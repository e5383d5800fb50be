"""Noise of parts: what is exact in every format is left alone, what rounds is not."""

from __future__ import annotations

import torch

from mpcheck.policy.noise.disturbance import DRAWS, parts_of, treatment

X = torch.tensor([[0.1, 0.7], [1.3, -0.9]], dtype=torch.float64)


def _moved(part: str, call: object, *args: torch.Tensor, module: torch.nn.Module | None = None) -> torch.Tensor:
    plain = call(*args)  # type: ignore[operator]
    with treatment(part, 3, module).mode():  # type: ignore[arg-type]
        return (call(*args) - plain).abs()  # type: ignore[operator,no-any-return]


def test_a_sum_with_zero_gives_back_what_was_there() -> None:
    zero = torch.zeros_like(X)
    assert not _moved("result", torch.add, X, zero).any()
    assert _moved("result", torch.add, X, X * 0.3).all()
    mixed = torch.tensor([[0.0, 0.2], [0.0, 0.2]], dtype=torch.float64)
    assert _moved("result", torch.add, X, mixed).ne(0).tolist() == [[False, True], [False, True]]


def test_a_row_that_is_selected_by_a_product_is_not_rounded() -> None:
    periods = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [1.0, 1.0]], dtype=torch.float64)
    for part in ("result", "sums"):
        assert _moved(part, torch.mm, periods, X).any(1).tolist() == [False, False, True]
        assert _moved(part, torch.mm, X, periods.T.contiguous()).any(0).tolist() == [False, False, True]


def test_in_place_results_are_rounded_in_place() -> None:
    y = X.clone()
    with treatment("result", 3).mode():
        same = y.mul_(X)
    assert same is y and (y != X * X).all()


def test_stored_weights_are_no_operands_whose_rounding_is_unknown() -> None:
    linear = torch.nn.Linear(2, 2, bias=False, dtype=torch.float64)
    with torch.no_grad():
        assert _moved("operand", torch.mm, X, linear.weight.data, module=None).any()
        ones = torch.eye(2, dtype=torch.float64)
        assert not _moved("operand", torch.mm, ones, linear.weight, module=linear).any()


def test_parts_by_census() -> None:
    assert parts_of({"stored", "underflow", "operation"}, cast=True) == ("given", "result")
    assert parts_of({"operand", "product", "inner"}, cast=True) == ("given", "operand", "result", "sums")
    assert parts_of({"operand", "product", "gather"}, cast=False) == ("result", "gather")
    assert sum(DRAWS.values()) <= 12
