"""Faults of what runs and what it costs; every number stays right."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import torch

from mpcheck.adapters.upstream import o3
from mpcheck.sessions.run import Session
from tests.faults.patches.planting import exchanged, patch, result_changed


@patch
def silently_the_reference(session: Session, block: str) -> Iterator[None]:
    """One block of the accelerated model is the plain one."""
    twin: Any = session.backend("cueq")
    parent, _, name = block.rpartition(".")
    plain = session.reference_backend.model.get_submodule(block)
    owner = twin.model.get_submodule(parent)
    before = owner._modules[name]
    owner._modules[name] = plain
    try:
        yield
    finally:
        owner._modules[name] = before


@patch
def waits(session: Session, seconds: float) -> Iterator[None]:
    """Linear layers take longer by so many seconds, without one operation more."""

    def change(self: Any, out: torch.Tensor, *_: Any) -> torch.Tensor:
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            pass
        return out

    with result_changed(o3.Linear, change):
        yield


@patch
def waits_for_every_shape(session: Session, seconds: float) -> Iterator[None]:
    """Linear layers take longer by so many seconds whenever they meet a shape for the first time, as compilation does."""
    seen: set[tuple[int, torch.Size]] = set()

    def change(self: Any, out: torch.Tensor, *_: Any) -> torch.Tensor:
        if (id(self), out.shape) not in seen:
            seen.add((id(self), out.shape))
            time.sleep(seconds)
        return out

    with result_changed(o3.Linear, change):
        yield


@patch
def number_read_back(session: Session) -> Iterator[None]:
    """Linear layers read one number back to the host."""

    def change(self: Any, out: torch.Tensor, *_: Any) -> torch.Tensor:
        return out if not out.numel() or out.flatten()[0].item() < float("inf") else out.clone()

    with result_changed(o3.Linear, change):
        yield


@patch
def features_by_way_of_the_host(session: Session, by: str) -> Iterator[None]:
    """Linear layers take their result to the host and back (``cpu``), or look at a row of it there (``tolist``); no operation shows it on a CPU."""

    def change(self: Any, out: torch.Tensor, *_: Any) -> torch.Tensor:
        if by == "cpu":
            return out.cpu().to(out.device)
        return out if not out.numel() or max(out.flatten()[:1].tolist()) < float("inf") else out.clone()

    with result_changed(o3.Linear, change):
        yield


@patch
def as_installed(session: Session) -> Iterator[None]:
    """Nothing: the installed upstream has the fault itself."""
    with exchanged(o3.Linear, "forward", lambda original: original):
        yield
