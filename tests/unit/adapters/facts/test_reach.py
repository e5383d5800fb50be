"""Irreps that an architecture makes and reads, against what is known of small cases by hand."""

from __future__ import annotations

import pytest
import torch

from mpcheck.adapters.facts.mode_dependent import mode_dependent
from mpcheck.adapters.facts.reach import between_heads, coupled, symmetric_power, unused
from mpcheck.adapters.upstream import o3
from tests.unit.checks.uses.small_models import built

VECTOR, PSEUDOVECTOR, SCALAR = (1, -1), (1, 1), (0, 1)


def test_products_of_two() -> None:
    assert coupled(VECTOR, VECTOR) == {(0, 1), (1, 1), (2, 1)}
    assert coupled(SCALAR, (2, 1)) == {(2, 1)}


def test_a_vector_makes_no_pseudovector_with_itself() -> None:
    """The symmetric square of a vector is a scalar and a traceless tensor; its cube has no scalar."""
    assert symmetric_power(frozenset({VECTOR}), 2) == {(0, 1), (2, 1)}
    assert symmetric_power(frozenset({VECTOR}), 3) == {(1, -1), (3, -1)}
    assert PSEUDOVECTOR not in (symmetric_power(frozenset({SCALAR, VECTOR}), 3) or set())


def test_too_many_monomials_are_not_counted() -> None:
    assert symmetric_power(frozenset((degree, p) for degree in range(7) for p in (1, -1)), 4) is None


ARCHITECTURES = {
    "plain": ({}, []),
    "both parities": (
        {"hidden_irreps": o3.Irreps("4x0e+4x0o+4x1o+4x1e")},
        ["input irrep 0o of interactions.1", "input irrep 1e of interactions.1", "message irrep 0o of interactions.1"],
    ),
    "no product": (
        {"correlation": 1},
        ["message irrep 2e of interactions.0", "message irrep 1o of interactions.1", "message irrep 2e of interactions.1"],
    ),
    "kept vectors": ({"keep_last_layer_irreps": True}, ["output irrep 1o of products.1"]),
}


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_what_an_architecture_leaves_unused(name: str) -> None:
    changed, expected = ARCHITECTURES[name]
    found = unused(built("ScaleShiftMACE", **changed))
    assert found is not None
    assert [next((f for f in found if f.startswith(e)), "") for e in expected] == found


def test_a_model_of_another_make_is_not_known() -> None:
    assert unused(torch.nn.Linear(2, 2)) is None


def test_weights_between_heads() -> None:
    model = built("ScaleShiftMACE", ("first", "second"))
    mask = between_heads(model, "readouts.1.linear_2.weight")
    assert mask is not None and mask.reshape(2, 4, 2)[:, 0].tolist() == [[False, True], [True, False]]
    assert between_heads(model, "readouts.0.linear.weight") is None
    assert between_heads(built("ScaleShiftMACE"), "readouts.1.linear_2.weight") is None


def test_modules_that_declare_another_mode() -> None:
    model = torch.nn.Sequential(torch.nn.Dropout(0.0), torch.nn.Dropout(0.5), torch.nn.BatchNorm1d(2), torch.nn.Linear(2, 2))
    assert set(mode_dependent(model)) == {"1", "2"}
