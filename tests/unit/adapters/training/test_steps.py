"""Scaled losses and the steps that follow them."""

from __future__ import annotations

import pytest
import torch

from mpcheck.adapters.training.steps import Losses, ScaledLoss, Steps


class Square(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.square().sum()


def stepped(scale: float | None, most: float | None, start: float = 3.0, blow: float = 1.0) -> tuple[float, Steps, Losses]:
    parameter = torch.nn.Parameter(torch.tensor([start]))
    scaler = None if scale is None else torch.amp.GradScaler("cpu", init_scale=scale, growth_interval=2)
    loss = ScaledLoss(Square(), scaler)
    steps, losses = Steps(torch.optim.SGD([parameter], lr=0.1), scaler, most), Losses(loss)
    steps.zero_grad()
    (blow * loss(x=parameter)).backward()
    steps.step()
    losses.log({})
    return float(parameter), steps, losses


def test_a_scale_changes_no_step_and_no_loss_that_is_told() -> None:
    assert stepped(None, None)[0] == stepped(1024.0, None)[0] == pytest.approx(3.0 - 0.6)
    assert stepped(1024.0, None)[2].steps == [9.0]


def test_gradients_are_clipped_without_their_scale() -> None:
    assert stepped(1024.0, 1.0)[0] == pytest.approx(3.0 - 0.1, abs=1e-5)


def test_a_step_that_overflows_is_left_out_and_told() -> None:
    moved, steps, _ = stepped(1024.0, 1.0, blow=float("inf"))
    assert (moved, steps.overflowed, steps.scales) == (3.0, [0], [1024.0])
    assert steps.scaler.get_scale() == 512.0


def test_without_a_scale_nothing_is_told() -> None:
    _, steps, _ = stepped(None, 1.0)
    assert (steps.scales, steps.overflowed, steps.count) == ([], [], 1)
