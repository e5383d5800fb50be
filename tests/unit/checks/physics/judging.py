"""Asking one property about one system, with a change in the model or without."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import torch

from mpcheck.judge.context import Key
from mpcheck.records.record import Record
from mpcheck.sessions.run import Session
from tests import inspections
from tests.faults.patches.planting import exchanged

WATER = "builtin:water"
NARROW = ("float32", "bfloat16", "float16")
Fault = contextlib.AbstractContextManager[None]
Graph = dict[str, torch.Tensor]


def judged(run: Session, name: str) -> dict[tuple[str, str], Record]:
    """Findings by format and variant."""
    system = WATER if name == "repeat" else ""
    return {(f.format, f.variant): f for f in inspections.run("audit", run, Key("physics", name, "e3nn", "float64", system))}


def assert_red(run: Session, clean: Any, fault: Fault, name: str, place: tuple[str, str], *says: str) -> None:
    assert clean[name][place].verdict == "pass"
    with fault:
        found = judged(run, name)[place]
    assert found.verdict == "fail", f"not seen: {found.ratio}"
    for words in says:
        assert words in found.reason, found.reason


def assert_green(run: Session, change: Fault, name: str) -> None:
    with change:
        assert {f.id: f.reason for f in judged(run, name).values() if f.verdict != "pass"} == {}


def silu_as(formula: Callable[[torch.Tensor], torch.Tensor]) -> Fault:
    """Every normalised silu by another formula."""
    from e3nn.math import normalize2mom

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        return lambda self, x: formula(x) * self.cst if self.f is torch.nn.functional.silu else original(self, x)

    return exchanged(normalize2mom, "forward", make)
