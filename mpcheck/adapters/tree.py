"""Arguments of a block as named tensors plus a JSON skeleton, so that they can be stored without pickle."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from mpcheck._errors import InputError

_TENSOR = "__tensor__"
_TUPLE = "__tuple__"
_ARRAY = "__array__"
_TYPE = "__dtype__"


def flatten(value: Any, path: str, tensors: dict[str, torch.Tensor]) -> Any:
    """Move the tensors of a nested value into ``tensors`` under dotted names; the rest comes back as JSON data.

    Numbers and arrays of numpy are constants of the call, not tensors that a format is tried on.

    Raises:
        TypeError: a value that is neither tensor, number, array, type, string, None nor a container of them.
    """
    if isinstance(value, torch.Tensor):
        tensors[path] = value
        return {_TENSOR: path}
    if isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind in "biuf":
        return {_ARRAY: [value.dtype.str, np.asarray(value).tolist(), isinstance(value, np.ndarray)]}
    if isinstance(value, torch.dtype):
        return {_TYPE: str(value).removeprefix("torch.")}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple)):
        items = [flatten(item, f"{path}.{i}", tensors) for i, item in enumerate(value)]
        return {_TUPLE: items} if isinstance(value, tuple) else items
    if isinstance(value, Mapping):
        return {str(key): flatten(item, f"{path}.{key}", tensors) for key, item in value.items()}
    raise TypeError(f"{path} is a {type(value).__name__}, which cannot be stored")


def unflatten(skeleton: Any, tensors: Mapping[str, torch.Tensor]) -> Any:
    """The inverse of :func:`flatten`.

    Raises:
        InputError: the skeleton names a tensor that is not there.
    """
    if isinstance(skeleton, dict):
        if set(skeleton) == {_TENSOR}:
            name = skeleton[_TENSOR]
            if name not in tensors:
                raise InputError(f"stored arguments lack tensor {name}; delete the cache entry")
            return tensors[name]
        if set(skeleton) == {_TUPLE}:
            return tuple(unflatten(item, tensors) for item in skeleton[_TUPLE])
        if set(skeleton) == {_ARRAY}:
            kind, numbers, whole = skeleton[_ARRAY]
            array = np.array(numbers, dtype=np.dtype(kind))
            return array if whole else array[()]
        if set(skeleton) == {_TYPE}:
            return getattr(torch, skeleton[_TYPE])
        return {key: unflatten(item, tensors) for key, item in skeleton.items()}
    if isinstance(skeleton, list):
        return [unflatten(item, tensors) for item in skeleton]
    return skeleton


def map_tensors(function: Callable[[torch.Tensor], torch.Tensor], tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Apply a function to every floating-point tensor; integers and booleans pass."""
    return {name: function(t) if t.is_floating_point() else t for name, t in tensors.items()}


def map_nested(function: Callable[[torch.Tensor], torch.Tensor], value: Any) -> Any:
    """Apply a function to every tensor of nested tuples, lists and mappings; everything else passes."""
    if isinstance(value, torch.Tensor):
        return function(value)
    if isinstance(value, (list, tuple)):
        items = [map_nested(function, item) for item in value]
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    if isinstance(value, Mapping):
        return {key: map_nested(function, item) for key, item in value.items()}
    return value
