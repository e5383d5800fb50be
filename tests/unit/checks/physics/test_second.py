"""Second derivatives are those of the values."""

from __future__ import annotations

from typing import Any

import torch

from mpcheck.sessions.run import Session
from tests.faults.patches import PATCHES
from tests.unit.checks.physics.judging import assert_red, silu_as


class _Frozen(torch.autograd.Function):
    """silu, whose derivative is right and is taken for a constant when it is differentiated."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x)
        return torch.nn.functional.silu(x)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> torch.Tensor:
        x = ctx.saved_tensors[0].detach()
        sigmoid = torch.sigmoid(x)
        return grad * sigmoid * (1 + x * (1 - sigmoid))


class _Once(_Frozen):
    """The same, marked as not to be differentiated again: where nothing else leads to an argument, autograd does not raise."""

    backward = staticmethod(torch.autograd.function.once_differentiable(_Frozen.backward))


def test_a_derivative_taken_for_a_constant(run: Session, clean: Any) -> None:
    assert_red(run, clean, silu_as(_Frozen.apply), "second-derivatives", ("float64", "numerical"), "its second derivative by", "instead of")


def test_a_derivative_that_cannot_be_differentiated(run: Session, clean: Any) -> None:
    assert_red(
        run,
        clean,
        silu_as(_Once.apply),
        "second-derivatives",
        ("float64", "numerical"),
        "its second derivative by",
        "is 0 instead of",
        "which is missing (None) by",
    )


def test_a_gradient_of_the_weight_alone(run: Session, clean: Any) -> None:
    fault = PATCHES["one_instruction_gradient"](run, instruction=0, factor=1.001, dtype="float64")
    assert_red(run, clean, fault, "second-derivatives", ("float64", "numerical"), "conv_tp: its second derivative by", "weight")


def test_a_second_derivative_that_changes_with_calls(run: Session, clean: Any) -> None:
    calls = [0]

    class Late(_Frozen):
        @staticmethod
        def backward(ctx: Any, grad: torch.Tensor) -> torch.Tensor:
            calls[0] += grad.requires_grad or torch.is_grad_enabled()
            x = ctx.saved_tensors[0]
            x = x.detach() if calls[0] % 8 == 1 else x
            sigmoid = torch.sigmoid(x)
            return grad * sigmoid * (1 + x * (1 - sigmoid))

    assert_red(run, clean, silu_as(Late.apply), "second-derivatives", ("float64", "calls"), "its second derivative in call", "is not that of call 4")
