"""What torch keeps for a whole process or thread and computes by: read, put back, and taken out of the way of a piece of work.

A verdict must not depend on what its caller had set: a default dtype or device, inference mode, autocast, deterministic algorithms,
TF32. :func:`neutral` runs work under torch's own defaults with every product in float32; :func:`surrounding` tells what the caller had.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
import torch.utils.deterministic

from mpcheck import _torch_precision
from mpcheck._errors import InputError
from mpcheck._names import REDUCED_VARIABLE
from mpcheck._torch_precision import Float32

AUTOCAST = ("cpu", "cuda")
REDUCTIONS = (
    "allow_fp16_reduced_precision_reduction",
    "allow_bf16_reduced_precision_reduction",
    "allow_fp16_reduced_precision_reduction_split_k",
    "allow_bf16_reduced_precision_reduction_split_k",
    "allow_fp16_accumulation",
)
"""Of ``torch.backends.cuda.matmul``; the later ones are not in every torch."""
REDUCED = REDUCTIONS[:4]
"""Those that torch allows by default; the last one it does not."""
_MATMUL: Any = torch.backends.cuda.matmul
_FILL: Any = torch.utils.deterministic


@dataclass(frozen=True)
class State:
    """One state.

    Attributes:
        default_dtype, default_device: of new tensors.
        grad, inference: whether gradients are recorded; whether tensors are made that never can have any.
        autocast: device types that it is on for.
        deterministic: whether algorithms must be, whether that is only warned of, whether uninitialised memory is filled.
        anomaly: whether autograd looks for NaN.
        flushed: whether this thread takes subnormal numbers for zero.
        reductions: which sums CUDA may keep in 16 bits; those that this torch knows.
        float32: how float32 products are computed.
        threads: of an operation.
    """

    default_dtype: torch.dtype
    default_device: torch.device
    grad: bool
    inference: bool
    autocast: tuple[str, ...]
    deterministic: tuple[bool, bool, bool]
    anomaly: bool
    flushed: bool
    reductions: tuple[tuple[str, bool], ...]
    float32: Float32
    threads: int

    def flags(self) -> dict[str, str | bool | int]:
        """In words, for the head of records."""
        known, precision = dict(self.reductions), self.float32
        return {
            "default_dtype": str(self.default_dtype).removeprefix("torch."),
            "default_device": str(self.default_device),
            "cuda_matmul_allow_tf32": precision.effective("cuda", "matmul") == _torch_precision.TF32,
            "cudnn_allow_tf32": precision.effective("cuda", "conv") == _torch_precision.TF32,
            "fp16_reduced_precision_reduction": known[REDUCTIONS[0]],
            "bf16_reduced_precision_reduction": known[REDUCTIONS[1]],
            **{name.removeprefix("allow_"): value for name, value in self.reductions if name not in REDUCTIONS[:2]},
            "deterministic_algorithms": self.deterministic[0],
            "float32_matmul_precision": precision.matmul,
            **{f"fp32_precision {'.'.join(where)}": precision.effective(*where) for where in _torch_precision.OPERATIONS},
            "grad": self.grad,
            "inference_mode": self.inference,
            "autocast": ", ".join(self.autocast),
            "anomaly_detection": self.anomaly,
            "subnormals_flushed": self.flushed,
        }

    def differences(self, other: State) -> list[str]:
        """What differs in another state, ``default_dtype: float32 -> float64``; not the number of threads, which changes no verdict."""
        mine, theirs = ({**s.flags(), "deterministic": str(s.deterministic)} for s in (self, other))
        return [f"{name}: {mine[name]} -> {theirs[name]}" for name in mine if mine[name] != theirs[name]]


def _flushed() -> bool:
    """Torch has no getter; the processor's mode holds for Python's own numbers too."""
    smallest = sys.float_info.min
    return smallest / 4.0 == 0.0


def read() -> State:
    """The state as it is."""
    return State(
        default_dtype=torch.get_default_dtype(),
        default_device=torch.get_default_device(),
        grad=torch.is_grad_enabled(),
        inference=torch.is_inference_mode_enabled(),
        autocast=tuple(kind for kind in AUTOCAST if torch.is_autocast_enabled(kind)),
        deterministic=(
            torch.are_deterministic_algorithms_enabled(),
            torch.is_deterministic_algorithms_warn_only_enabled(),
            bool(_FILL.fill_uninitialized_memory),
        ),
        anomaly=torch.is_anomaly_enabled(),
        flushed=_flushed(),
        reductions=tuple((name, bool(getattr(_MATMUL, name))) for name in REDUCTIONS if _known(name)),
        float32=_torch_precision.read(),
        threads=torch.get_num_threads(),
    )


def _known(name: str) -> bool:
    try:
        getattr(_MATMUL, name)
    except (AttributeError, AssertionError):  # torch's own object raises either
        return False
    return True


def write(state: State) -> None:
    """Put back what has changed, except inference mode and the default device of a ``with`` block: those end with their blocks."""
    now = read()
    for name in (field.name for field in fields(State)):
        wanted = getattr(state, name)
        if wanted != getattr(now, name):
            _SETTERS[name](wanted)


def _set_reductions(values: tuple[tuple[str, bool], ...]) -> None:
    wanted = dict(values)
    for name in REDUCTIONS[:2]:
        split = f"{name}_split_k"
        setattr(_MATMUL, name, (wanted[name], wanted[split]) if split in wanted else wanted[name])
    if (name := REDUCTIONS[-1]) in wanted:
        setattr(_MATMUL, name, wanted[name])


def _set_deterministic(values: tuple[bool, bool, bool]) -> None:
    torch.use_deterministic_algorithms(values[0], warn_only=values[1])
    _FILL.fill_uninitialized_memory = values[2]


def _set_autocast(kinds: tuple[str, ...]) -> None:
    for kind in AUTOCAST:
        torch.set_autocast_enabled(kind, kind in kinds)


def _set_anomaly(enabled: bool) -> None:
    torch.set_anomaly_enabled(enabled, torch.is_anomaly_check_nan_enabled())


_SETTERS: dict[str, Any] = {
    "default_dtype": torch.set_default_dtype,
    "default_device": lambda device: torch.set_default_device(None if device == torch.device("cpu") else device),
    "grad": torch.set_grad_enabled,
    "inference": lambda _: None,
    "autocast": _set_autocast,
    "deterministic": _set_deterministic,
    "anomaly": _set_anomaly,
    "flushed": torch.set_flush_denormal,
    "reductions": _set_reductions,
    "float32": _torch_precision.write,
    "threads": torch.set_num_threads,
}


@contextlib.contextmanager
def kept() -> Iterator[State]:
    """Whatever the block changes is afterwards as it was; the state before is given."""
    before = read()
    try:
        yield before
    finally:
        write(before)


@contextlib.contextmanager
def reductions(allowed: bool) -> Iterator[None]:
    """CUDA may, or may not, keep the partial sums of products of 16 bits in 16 bits, while the block lasts."""
    with kept() as before:
        write(replace(before, reductions=tuple((name, allowed if name in REDUCED else value) for name, value in before.reductions)))
        yield


def reduced_allowed() -> bool:
    """Whether what is judged may keep partial sums in 16 bits: torch's default, unless :data:`REDUCED_VARIABLE` forbids it.

    Raises:
        InputError: the variable is neither ``on`` nor ``off``.
    """
    text = os.environ.get(REDUCED_VARIABLE, "") or "on"
    if text not in ("on", "off"):
        raise InputError(f"variable {REDUCED_VARIABLE} is {text!r}; give on (torch's default) or off")
    return text == "on"


def neutral_state(now: State) -> State:
    """Torch's own defaults with every product in float32; the number of threads is the caller's business.

    Raises:
        InputError: see :func:`reduced_allowed`.
    """
    allowed = reduced_allowed()
    return replace(
        now,
        default_dtype=torch.float32,
        default_device=torch.device("cpu"),
        grad=True,
        inference=False,
        autocast=(),
        deterministic=(False, False, True),
        anomaly=False,
        flushed=False,
        reductions=tuple((name, allowed and name in REDUCED) for name, _ in now.reductions),
        float32=_torch_precision.plain(tf32=False),
    )


class _Stack(threading.local):
    """What surrounds the neutral blocks that are open in a thread."""

    def __init__(self) -> None:
        self.outside: list[State] = []


_STACK = _Stack()


def surrounding() -> State:
    """The state that the caller had set, also from within :func:`neutral`; what was changed since, where something was."""
    now = read()
    return _STACK.outside[-1] if _STACK.outside and now == neutral_state(now) else now


@contextlib.contextmanager
def neutral() -> Iterator[None]:
    """Run a piece of work under torch's own defaults; the caller's state is afterwards as it was.

    Within another such block it does nothing, unless something was changed in between: what work leaves behind is then seen by whoever
    opened the outer one.
    """
    before = read()
    wanted = neutral_state(before)
    if _STACK.outside and before == wanted:
        yield
        return
    with contextlib.ExitStack() as blocks:
        blocks.callback(write, before)
        if before.inference:
            blocks.enter_context(torch.inference_mode(False))
        if before.default_device != wanted.default_device:
            blocks.enter_context(wanted.default_device)  # innermost, whether a `with` block or a call has set the other one
        write(wanted)
        _STACK.outside.append(before)
        blocks.callback(_STACK.outside.pop)
        yield
