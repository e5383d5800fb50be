"""A model that says of itself what cannot be is refused with the attribute's name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from mpcheck._errors import InputError
from mpcheck.adapters.load import load_object
from tests.zoo import models

SMALL = {**models.table()["scalars"], "elements": ["H", "O"], "max_ell": 0, "correlation": 1, "hidden_irreps": "2x0e"}
TWO = {"heads": ["a", "b"], "atomic_inter_scale": [0.8, 0.9], "atomic_inter_shift": [0.1, 0.2]}


def given(name: str, value: Any) -> Callable[[torch.nn.Module], None]:
    """Put a value in the place of an attribute, a buffer or not."""

    def change(model: torch.nn.Module) -> None:
        model._buffers.pop(name, None)
        setattr(model, name, value)

    return change


@pytest.mark.parametrize(
    ("options", "change", "says"),
    [
        ({}, given("atomic_numbers", torch.tensor([8, 8])), r"atomic_numbers holds 8 \(O\) twice"),
        ({}, given("atomic_numbers", [1, 0]), "atomic_numbers holds 0, which no element has"),
        ({}, given("atomic_numbers", [1, -8]), "atomic_numbers holds -8"),
        ({}, given("atomic_numbers", torch.tensor([1, 6, 8])), "atomic_numbers holds 3 elements, and atomic_energies_fn has energies of 2"),
        ({}, given("r_max", torch.tensor(-3.0)), "r_max is -3 Å"),
        ({}, given("r_max", 0.0), "r_max is 0 Å"),
        ({}, given("heads", ["a", "b"]), "heads are a, b, and atomic_energies_fn has energies of 1"),
        (TWO, given("heads", ["a", "a"]), "two heads are called 'a'"),
        (TWO, given("heads", ["a", "b", "c"]), "has energies of 2"),
    ],
)
def test_what_cannot_be_is_refused(options: dict[str, Any], change: Callable[[torch.nn.Module], None], says: str) -> None:
    model = models.build("declared", {**SMALL, **options})
    change(model)
    with pytest.raises(InputError, match=says):
        load_object(model)


@pytest.mark.parametrize(
    ("options", "change"),
    [
        ({}, given("atomic_numbers", [1, 8])),
        ({}, given("r_max", 3.0)),
        ({}, lambda model: delattr(model, "heads")),  # from before there were any
        (TWO, lambda model: None),
    ],
)
def test_what_can_be_is_taken(options: dict[str, Any], change: Callable[[torch.nn.Module], None]) -> None:
    model = models.build("declared", {**SMALL, **options})
    change(model)
    assert load_object(model).elements == ["H", "O"]
