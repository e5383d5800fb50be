"""Facts hold numbers in float64, trained and fixed ones apart."""

from __future__ import annotations

import numpy as np
import torch

from mpcheck.adapters.facts.blocks import is_fixed, numbers, parameters_of


class Block(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.trained = torch.nn.Parameter(torch.tensor([0.1]))
        self.register_buffer("fixed", torch.tensor(0.25))


def test_numbers_are_those_stored_to_the_bit() -> None:
    block = Block()
    assert numbers(block.trained).dtype == np.float64
    assert numbers(block.trained).tolist() == [block.trained.item()] and block.trained.item() != 0.1
    assert numbers(0.1) == 0.1


def test_trained_and_fixed_numbers_are_told_apart() -> None:
    block = Block()
    assert set(parameters_of(block)) == {"trained"}
    assert is_fixed(block, "fixed") and not is_fixed(block, "trained")
