"""Arguments as tensors and JSON, and back."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mpcheck._errors import InputError
from mpcheck.adapters.tree import flatten, map_tensors, unflatten

LEAVES = st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.text(max_size=3), st.integers(0, 9).map(lambda n: torch.full((2,), float(n))))
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.lists(inner, max_size=3).map(tuple) | st.dictionaries(
    st.text("abc", min_size=1, max_size=2), inner, max_size=3), max_leaves=8)  # fmt: skip


def same(a: Any, b: Any) -> bool:
    if isinstance(a, torch.Tensor):
        return isinstance(b, torch.Tensor) and torch.equal(a, b)
    if isinstance(a, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    return type(a) is type(b) and a == b


@given(VALUES)
def test_values_come_back_from_json_and_tensors(value: Any) -> None:
    tensors: dict[str, torch.Tensor] = {}
    skeleton = json.loads(json.dumps(flatten(value, "x", tensors)))
    assert same(unflatten(skeleton, tensors), value)


@pytest.mark.parametrize(
    "value",
    [
        np.array([1, 8]),
        np.array([[0.1, 2.0]], dtype=np.float32),
        np.int64(7),
        np.float64(0.1),
        np.array(True),
        [np.int64(1), np.int64(8)],
        torch.float64,
    ],
)
def test_constants_of_numpy_and_types_come_back_as_they_were(value: Any) -> None:
    tensors: dict[str, torch.Tensor] = {}
    found = unflatten(json.loads(json.dumps(flatten(value, "x", tensors))), tensors)
    assert not tensors, "no format is tried on them"
    assert type(found) is type(value) and np.array_equal(np.asarray(found == value), np.ones(np.shape(np.asarray(found == value)), dtype=bool))
    assert getattr(found, "dtype", None) == getattr(value, "dtype", None)


def test_what_cannot_be_stored_and_what_is_missing_are_named() -> None:
    with pytest.raises(TypeError, match=r"x\.a\.1 is a object"):
        flatten({"a": [1, object()]}, "x", {})
    tensors: dict[str, torch.Tensor] = {}
    skeleton = flatten({"a": torch.ones(1)}, "x", tensors)
    with pytest.raises(InputError, match=r"lack tensor x\.a"):
        unflatten(skeleton, {})


def test_only_floating_point_tensors_are_mapped() -> None:
    index = torch.tensor([1, 2])
    mapped = map_tensors(torch.Tensor.half, {"x": torch.ones(2), "index": index})
    assert mapped["x"].dtype == torch.float16 and mapped["index"] is index
