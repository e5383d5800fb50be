"""torch.autocast around a whole model; on a CPU emulated, because there it fails in upstream's symmetric contraction.

Autocast casts the operands of matrix products to 16 bits and leaves what is sensitive in float32; what has operands of several types takes
the widest. On a CPU ``tensordot`` is on no list, so that operands of two types raise. The emulation leaves every tensor in float32 and
rounds the values: those of products, and of whatever is computed from such values alone.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch

from mpcheck.reference.dispatch import DispatchMode
from mpcheck.reference.operations import operation_of

WIDE = frozenset(
    "acos asin cosh erfinv exp expm1 log log10 log2 log1p reciprocal rsqrt sinh tan pow softplus cumprod cumsum prod sum norm renorm"
    " linalg_vector_norm _softmax _log_softmax native_layer_norm cdist".split()
)
"""Operations that torch's documentation lists as computed in float32, by their aten names."""
EMULATED = "autocast is emulated on a CPU, where torch.autocast fails in upstream's symmetric contraction"
_MARK = "_mpcheck_narrow"


class Emulation(DispatchMode):
    """Autocast's roundings, forward and backward, of values that stay in the type that carries them."""

    def __init__(self, dtype: torch.dtype, carrier: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.dtype = dtype
        self.carrier = carrier

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        operation = operation_of(func)
        if operation.product:
            return self._narrow(func(*(self._rounded(a) for a in args), **(kwargs or {})))
        given = [t for a in args for t in (a if isinstance(a, (list, tuple)) else (a,)) if _floating(t)]
        result = func(*args, **(kwargs or {}))
        if not given or operation.name in WIDE or not all(getattr(t, _MARK, False) for t in given):
            return result
        return self._narrow(result) if operation.rounds else _marked(result)

    def _rounded(self, value: Any) -> Any:
        return value.to(self.dtype).to(value.dtype) if _floating(value) and value.dtype == self.carrier else value

    def _narrow(self, result: Any) -> Any:
        if _floating(result) and result.dtype == self.carrier:
            return _marked(result.copy_(result.to(self.dtype)))  # in place: an operation in place has to return its own argument
        return result


def _floating(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.is_floating_point()


def _marked(result: Any) -> Any:
    """Its values are 16-bit numbers."""
    for value in result if isinstance(result, (list, tuple)) else (result,):
        if isinstance(value, torch.Tensor):
            setattr(value, _MARK, True)
    return result


@contextlib.contextmanager
def autocasting(dtype: torch.dtype, device: torch.device) -> Iterator[None]:
    """Matrix products in 16 bits, as autocast has them, while the block lasts."""
    if device.type == "cuda":
        with torch.autocast("cuda", dtype=dtype):
            yield
        return
    with Emulation(dtype):
        yield
