"""Faults of Hessians and descriptors."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from mpcheck.sessions.run import Session
from tests.faults.patches.planting import exchanged
from tests.unit.checks.uses.planted import Calculator, Planted, handed
from tests.unit.checks.uses.small_models import judged, red


def hessians(change: Callable[[np.ndarray], np.ndarray]) -> Planted:
    return exchanged(Calculator, "get_hessian", lambda original: lambda self, atoms=None: change(original(self, atoms)))


@pytest.mark.parametrize(
    "change",
    [
        lambda h: h[..., ::-1], lambda h: -h, lambda h: h.astype(np.float32), lambda h: h * 0, lambda h: h.astype(np.float32).astype(np.float64),
        lambda h: h.reshape(h.shape[1], 3, -1, 3).transpose(1, 0, 2, 3).reshape(h.shape), lambda h: h[:-1],
    ],
)  # fmt: skip
def test_hessians(run: Session, change: Callable[[np.ndarray], np.ndarray]) -> None:
    with hessians(change):
        assert "hessian" in red(judged(run, "doors", "calculator-hessian"))


def test_hessian_of_another_head(heads: Session) -> None:
    with handed(lambda _, batch: batch.__setitem__("head", torch.zeros_like(batch["head"]))):
        found = red(judged(heads, "doors", "calculator-hessian"))
    assert "second" in found["hessian"]


def test_descriptors(run: Session) -> None:
    with exchanged(Calculator, "get_descriptors", lambda original: lambda self, *a, **k: original(self, *a, **k)[:, ::-1]):
        assert "descriptors" in red(judged(run, "doors", "calculator-hessian"))
