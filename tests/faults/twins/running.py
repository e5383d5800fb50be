"""Twins of faults of what runs and what it costs: as much is done, by as many operations, and none of them waits."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import torch

from mpcheck.adapters.upstream import o3
from mpcheck.sessions.run import Session
from tests.faults.patches.planting import exchanged, patch, result_changed
from tests.faults.twins.acting import Acts


@patch
def kernel_of_a_subclass(session: Session, acts: Acts, block: str) -> Iterator[None]:
    """One block of the accelerated model is an instance of a subclass of the right kernel, with the same tensors."""
    twin: Any = session.backend("cueq")
    parent, _, name = block.rpartition(".")
    owner = twin.model.get_submodule(parent)
    before = owner._modules[name]
    cls: Any = type(before)

    def forward(self: Any, *args: Any, **kwargs: Any) -> Any:
        acts()
        return cls.forward(self, *args, **kwargs)

    made = copy.copy(before)  # the tensors are shared, the tables of names are not
    for table in ("_modules", "_parameters", "_buffers"):
        made.__dict__[table] = dict(before.__dict__[table])
    made.__class__ = type(cls.__name__, (cls,), {"forward": forward, "__module__": cls.__module__})
    owner._modules[name] = made
    try:
        yield
    finally:
        owner._modules[name] = before


def _noted(acts: Acts, note: Callable[[Any, torch.Tensor], torch.Tensor]) -> Any:
    def change(self: Any, out: torch.Tensor, *_: Any) -> torch.Tensor:
        acts()
        return note(self, out)

    return result_changed(o3.Linear, change)


@patch
def result_viewed(session: Session, acts: Acts) -> Iterator[None]:
    """Linear layers give a view of their result: no memory is moved."""
    with _noted(acts, lambda _, out: out.view(out.shape)):
        yield


@patch
def shapes_noted(session: Session, acts: Acts) -> Iterator[None]:
    """Linear layers write down each shape that they meet for the first time."""
    seen: set[tuple[int, torch.Size]] = set()

    def note(self: Any, out: torch.Tensor) -> torch.Tensor:
        seen.add((id(self), out.shape))
        return out

    with _noted(acts, note):
        yield


@patch
def shape_read_back(session: Session, acts: Acts) -> Iterator[None]:
    """Linear layers read a shape, which the host has, instead of a number."""
    with _noted(acts, lambda _, out: out if not out.numel() or out.shape[0] < float("inf") else out.clone()):
        yield


@patch
def moved_to_where_it_is(session: Session, acts: Acts) -> Iterator[None]:
    """Linear layers move their result to the device and type of their input, where it is."""
    with _noted(acts, lambda _, out: out.to(out.device).to(out)):
        yield


@patch
def passed_on(session: Session, acts: Acts) -> Iterator[None]:
    """Linear layers as installed, called from one function more."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def forward(self: Any, *args: Any, **kwargs: Any) -> Any:
            acts()
            return original(self, *args, **kwargs)

        return forward

    with exchanged(o3.Linear, "forward", make):
        yield
