"""Weights that upstream's contractions take out, against the orders of which its coupling tables have a path."""

from __future__ import annotations

from typing import Any

import torch

from mpcheck.adapters.facts.paths import misplaced
from mpcheck.adapters.upstream import o3
from tests.unit.checks.uses.small_models import built

THIRD = {"correlation": 3, "hidden_irreps": o3.Irreps("2x0e + 2x1o + 2x2o")}


def contraction(model: Any, number: int) -> Any:
    return model.products[0].symmetric_contractions.contractions[number]


def test_orders_counted_from_the_wrong_end() -> None:
    """Of messages 0e + 1o + 2e there is no 2o of first order, and one of second order, 1o with 2e."""
    (found,) = misplaced(built("ScaleShiftMACE", **THIRD))
    prefix = "products.0.symmetric_contractions.contractions.2.weights"
    assert (found.lost, found.idle, found.reversed) == ((f"{prefix}.0",), (f"{prefix}.1",), True)


def test_up_to_the_second_order_there_is_but_one_list() -> None:
    assert misplaced(built("ScaleShiftMACE", hidden_irreps=o3.Irreps("2x0e + 2x1o + 2x2o"))) == []


def test_another_weight_taken_out_is_not_a_matter_of_the_end() -> None:
    model = built("ScaleShiftMACE")
    contraction(model, 0).weights_0_zeroed.fill_(True)
    (found,) = misplaced(model)
    assert found.lost == ("products.0.symmetric_contractions.contractions.0.weights.0",) and not found.idle and not found.reversed


def test_models_without_flags_say_nothing() -> None:
    model = built("ScaleShiftMACE", **THIRD)
    for module in model.modules():
        for name in [n for n, _ in module.named_buffers(recurse=False) if n.endswith("_zeroed")]:
            delattr(module, name)
    assert misplaced(model) == []
    assert misplaced(torch.nn.Linear(2, 2)) == []
