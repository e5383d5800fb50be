"""What patches share: how one attribute of an upstream class or module is exchanged and put back exactly."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import torch

Patch = Callable[..., contextlib.AbstractContextManager[None]]
"""Called with the session, whose models some faults sit in, and the catalogue's arguments."""

_MARK = "_plants_a_fault"
_ran = [0]


def times_run() -> int:
    """How often the code of faults has run in this process: the difference of two calls tells whether a fault is on the way."""
    return _ran[0]


def _counted(function: Any) -> Any:
    if isinstance(function, type):
        return function

    def call(*args: Any, **kwargs: Any) -> Any:
        _ran[0] += 1
        return function(*args, **kwargs)

    return call


def patch(function: Callable[..., Iterator[None]]) -> Patch:
    """A generator that plants a fault, yields once and takes it out again, as a context manager that the catalogue can name."""
    made: Patch = contextlib.contextmanager(function)
    setattr(made, _MARK, True)
    return made


def collected(*modules: ModuleType) -> dict[str, Patch]:
    """All patches of some modules by name.

    Raises:
        ValueError: two of one name.
    """
    found: dict[str, Patch] = {}
    for module in modules:
        for name, value in vars(module).items():
            if getattr(value, _MARK, False):
                if name in found:
                    raise ValueError(f"two patches are named {name}")
                found[name] = value
    return found


@contextlib.contextmanager
def exchanged(owner: Any, name: str, make: Callable[[Any], Any]) -> Iterator[None]:
    """``owner.name`` replaced by ``make(original)``; an inherited attribute is inherited again afterwards, not copied."""
    own = vars(owner)
    present, raw = name in own, own.get(name)
    original = getattr(owner, name)
    new = make(original)
    # what reads the arguments' names off a function must find the original's
    setattr(owner, name, functools.wraps(original)(_counted(new)) if callable(original) and new is not original else new)
    try:
        yield
    finally:
        if present:
            setattr(owner, name, raw)
        else:
            delattr(owner, name)


def result_changed(cls: type, change: Callable[..., Any]) -> contextlib.AbstractContextManager[None]:
    """``cls.forward`` whose result goes through ``change(self, result, *arguments)``."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def forward(self: Any, *args: Any, **kwargs: Any) -> Any:
            return change(self, original(self, *args, **kwargs), *args)

        return forward

    return exchanged(cls, "forward", make)


def input_changed(cls: type, change: Callable[[Any, torch.Tensor], torch.Tensor]) -> contextlib.AbstractContextManager[None]:
    """``cls.forward`` whose first argument, a tensor, goes through ``change(self, x)`` on its way in, by position or by name."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def forward(self: Any, *args: Any, **kwargs: Any) -> Any:
            if args:
                return original(self, change(self, args[0]), *args[1:], **kwargs)
            first, value = next(iter(kwargs.items()))
            return original(self, **{**kwargs, first: change(self, value)})

        return forward

    return exchanged(cls, "forward", make)


def dtype_named(name: str) -> torch.dtype:
    """``float32`` as torch's type."""
    found: torch.dtype = getattr(torch, name)
    return found
