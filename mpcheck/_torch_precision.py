"""How torch computes float32 products: its old flags and, from 2.9 on, its new ones, read and put back whatever state they are in.

The old ones are ``set_float32_matmul_precision`` and ``allow_tf32``; the new ones are called ``fp32_precision``, one per backend and
operation, each ``none`` where its parent decides. Torch keeps both, and raises a RuntimeError where one is read that contradicts the
other, which takes no more than one call of either interface. Kernels obey the new ones where there are any.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

_C: Any = torch._C
HAS_NEW = hasattr(_C, "_get_fp32_precision_getter") and hasattr(_C, "_set_fp32_precision_setter")
NONE, OFF, TF32, BF16 = "none", "ieee", "tf32", "bf16"
Where = tuple[str, str]
ROOT: Where = ("generic", "all")
PARENTS: tuple[Where, ...] = (("cuda", "all"), ("mkldnn", "all"))
OPERATIONS: tuple[Where, ...] = tuple((backend, kind) for backend in ("cuda", "mkldnn") for kind in ("matmul", "conv", "rnn"))
LEVELS = ("highest", "high", "medium")


@dataclass(frozen=True)
class Float32:
    """One state of the flags.

    Attributes:
        matmul: the old ``float32_matmul_precision``; cudnn: the old ``allow_tf32`` of cuDNN.
        own: what every new flag says itself; none before torch 2.9.
    """

    matmul: str
    cudnn: bool
    own: tuple[tuple[Where, str], ...] = ()

    def effective(self, backend: str, kind: str) -> str:
        """What kernels of a backend obey: ``ieee``, ``tf32`` or ``bf16``."""
        if not self.own:
            lowered = self.cudnn if kind != "matmul" else self.matmul != LEVELS[0]
            return TF32 if lowered and backend == "cuda" else OFF
        own = dict(self.own)
        chosen = [own.get(where, NONE) for where in ((backend, kind), (backend, "all"), ROOT)]
        value = next((value for value in chosen if value != NONE), OFF)
        return OFF if backend == "cuda" and value == BF16 else value  # bf16 is oneDNN's alone, and CUDA does not inherit it

    def lowered(self) -> list[str]:
        """Which products are computed in less than float32, ``cuda.matmul tf32``; convolutions are torch's own default and left out."""
        products = [f"{b}.matmul {self.effective(b, 'matmul')}" for b in ("cuda", "mkldnn")]
        return [text for text in products if not text.endswith(OFF)]


def _get(where: Where) -> str:
    return str(_C._get_fp32_precision_getter(*where))


def _set(where: Where, value: str) -> None:
    _C._set_fp32_precision_setter(*where, value)


def _own() -> dict[Where, str]:
    """Every new flag's own value. A flag that says nothing reads as its parent, so that parents are silent while their children are read."""
    values: dict[Where, str] = {}
    try:
        for level in ((ROOT,), PARENTS, OPERATIONS):
            values.update({where: _get(where) for where in level})
            if level is not OPERATIONS:
                _write({where: NONE for where in level if values[where] != NONE})
    finally:
        _write({where: value for where, value in values.items() if where not in OPERATIONS and value != NONE})
    return values


def _write(values: dict[Where, str]) -> None:
    for where, value in values.items():
        _set(where, value)


def _old(own: dict[Where, str]) -> tuple[str, bool]:
    """The old flags, read while every new one agrees with them: torch reads ``none`` as agreeing with any precision of products."""
    with contextlib.suppress(RuntimeError):
        return str(torch.get_float32_matmul_precision()), bool(torch.backends.cudnn.allow_tf32)
    try:
        _write(dict.fromkeys(own, NONE))
        matmul = str(torch.get_float32_matmul_precision())
        return matmul, _cudnn()
    finally:
        _write(own)


def _cudnn() -> bool:
    """Readable only where both kinds of cuDNN's operations say the same as the old flag."""
    for value in (NONE, TF32):
        for kind in ("conv", "rnn"):
            _set(("cuda", kind), value)
        with contextlib.suppress(RuntimeError):
            return bool(torch.backends.cudnn.allow_tf32)
    return True


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Without torch's advice on which interface to use."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def read() -> Float32:
    """The flags as they are; never raises for what they are set to."""
    with _silent():
        own = _own() if HAS_NEW else {}
        return Float32(*_old(own), tuple(own.items()))


def write(state: Float32) -> None:
    """Put the flags into a state that was read. Old flags first: setting one also sets new ones."""
    with _silent():
        if HAS_NEW:
            _write(dict.fromkeys((ROOT, *PARENTS, *OPERATIONS), NONE))
        torch.set_float32_matmul_precision(state.matmul)
        torch.backends.cudnn.allow_tf32 = state.cudnn
        _write(dict(state.own))


def plain(tf32: bool) -> Float32:
    """All products in float32, or those of CUDA in tf32, by both interfaces."""
    value = TF32 if tf32 else OFF
    own: dict[Where, str] = {}
    if HAS_NEW:
        own = dict.fromkeys((ROOT, *PARENTS), NONE) | {where: value if where[0] == "cuda" else OFF for where in OPERATIONS}
    return Float32(LEVELS[1] if tf32 else LEVELS[0], tf32, tuple(own.items()))


@contextlib.contextmanager
def products(tf32: bool) -> Iterator[None]:
    """Float32 products in tf32, or in float32, while the block lasts; every flag afterwards as it was."""
    before = read()
    write(plain(tf32))
    try:
        yield
    finally:
        write(before)
