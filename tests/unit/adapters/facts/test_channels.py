"""Output channels of weights."""

from __future__ import annotations

import torch

from mpcheck.adapters.facts.channels import Matrix, matrices
from mpcheck.adapters.upstream import o3


def test_biases_of_a_linear_layer_are_no_weights_of_it() -> None:
    """e3nn lists them among the layer's paths, and keeps them apart."""
    layer = o3.Linear("4x0e + 2x1o", "3x0e + 5x1o", biases=True)
    named = dict(layer.named_parameters())
    assert matrices(layer, "weight", named["weight"]) == [Matrix(0, (4, 3), 1), Matrix(12, (2, 5), 1)]
    assert matrices(layer, "bias", named["bias"]) == [Matrix(0, (3,), 0)]
    assert matrices(layer, "weight", torch.zeros(7)) is None
