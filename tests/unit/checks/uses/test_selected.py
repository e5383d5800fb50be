"""Faults of a model of one head: numbers of another head, and another type."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from mpcheck.sessions.run import Session
from tests.unit.checks.uses.planted import selecting
from tests.unit.checks.uses.small_models import judged, red


def of_another_head(name: str) -> Callable[[torch.nn.Module, torch.nn.Module, str], None]:
    """Numbers of the other head in one place."""

    def change(made: torch.nn.Module, model: torch.nn.Module, head: str) -> None:
        other = 1 - list(model.heads).index(head)  # type: ignore[arg-type]
        own, _, last = name.rpartition(".")
        source, target = getattr(model.get_submodule(own), last), getattr(made.get_submodule(own), last)
        kept = source[other] if source.dim() and len(source) == 2 else source.reshape(-1, 2)[:, other]
        target.data.copy_(kept.reshape(target.shape))

    return change


@pytest.mark.parametrize("name", ["atomic_energies_fn.atomic_energies", "scale_shift.scale", "scale_shift.shift", "readouts.0.linear.weight"])
def test_numbers_of_another_head(heads: Session, name: str) -> None:
    with selecting(of_another_head(name)):
        assert set(red(judged(heads, "doors", "select-head"))) == {"first", "second"}


def test_a_model_of_one_head_that_went_through_float32(heads: Session) -> None:
    with selecting(lambda made, model, head: made.float().double() and None):
        assert set(red(judged(heads, "doors", "select-head"))) == {"first", "second"}
    with selecting(lambda made, model, head: made.float() and None):
        assert set(red(judged(heads, "doors", "select-head"))) == {"first", "second"}
    with selecting(lambda made, model, head: setattr(made, "r_max", made.r_max.float())):
        assert "float32" in red(judged(heads, "doors", "select-head"))["first"]
