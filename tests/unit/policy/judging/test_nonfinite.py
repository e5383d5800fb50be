"""Which block made the first value that is no number."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch

from mpcheck.policy.judging.batches import graph_of
from mpcheck.policy.judging.nonfinite import FirstNonFinite, first_nonfinite
from tests.unit.policy.judged_samples import small, water


class Spoilt(torch.nn.Module):
    """A block whose result, or the gradient by what it is given, has one value that is no number."""

    def __init__(self, inner: torch.nn.Module, forward: bool) -> None:
        super().__init__()
        self.inner = inner
        self.spoils_forward = forward

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The block's own."""
        out = self.inner(*args, **kwargs)
        if self.spoils_forward:
            spoilt = out.clone()
            spoilt.view(-1)[0] = torch.inf
            return spoilt
        return _Backward.apply(out)

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("inner"), name)


class _Backward(torch.autograd.Function):
    """A gradient of which one element is NaN."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> torch.Tensor:
        spoilt = grads[0].clone()
        spoilt.view(-1)[0] = torch.nan
        return spoilt


def found(path: str, forward: bool) -> FirstNonFinite | None:
    """What is found out about a model with one spoilt block."""
    model = copy.deepcopy(small().module)
    parent, _, name = path.rpartition(".")
    owner = model.get_submodule(parent)
    setattr(owner, name, Spoilt(getattr(owner, name), forward))
    graph, periodic = graph_of(water(), small())
    return first_nonfinite(model, graph, "cpu", periodic)


@pytest.mark.parametrize("path", ["radial_embedding.bessel_fn", "interactions.0.linear", "interactions.1.conv_tp_weights", "products.0.linear"])
@pytest.mark.parametrize("forward", [True, False])
def test_the_block_is_named(path: str, forward: bool) -> None:
    """Forward and backward, early and late in the run."""
    first = found(path, forward)
    assert first is not None and (first.block, first.direction) == (path, "forward" if forward else "backward"), first


def test_a_sound_model_has_none_and_keeps_no_hooks() -> None:
    """What was watched is as it was before."""
    graph, periodic = graph_of(water(), small())
    assert first_nonfinite(small().module, graph, "cpu", periodic) is None
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in small().module.modules())


def test_what_comes_from_between_blocks_says_so() -> None:
    """Positions that are no numbers belong to no block; the step that computes with them is not blamed."""
    graph, periodic = graph_of(water(), small())
    graph["positions"][0, 0] = torch.nan
    first = first_nonfinite(small().module, graph, "cpu", periodic)
    assert first is not None and first.block == "" and "between blocks" in first.text
