"""What upstream's step does not know of: a loss that is scaled, and gradients that are taken back before the optimiser sees them."""

from __future__ import annotations

from typing import Any

import torch


class ScaledLoss(torch.nn.Module):
    """A loss function times the present scale; upstream's step calls ``backward`` on what it returns.

    Attributes:
        last: the loss of the last call, without the scale.
    """

    def __init__(self, loss: torch.nn.Module, scaler: Any = None) -> None:
        super().__init__()
        self.loss, self.scaler = loss, scaler
        self.last = float("nan")

    def forward(self, **given: Any) -> torch.Tensor:
        """As upstream's losses are called."""
        loss: torch.Tensor = self.loss(**given)
        self.last = float(loss.detach())
        return loss if self.scaler is None else self.scaler.scale(loss)


class Steps:
    """An optimiser in upstream's hands, which takes the scale off the gradients, clips them then, and leaves a step out where one overflowed.

    Upstream clips between ``backward`` and ``step``, when gradients are still scaled: what is trained with a scale is clipped here instead.

    Attributes:
        scales: that each step was taken with. overflowed: places of the steps whose gradients were not all numbers, whatever the scaler says.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, scaler: Any = None, most: float | None = None) -> None:
        self.optimizer, self.scaler, self.most = optimizer, scaler, most
        self.scales: list[float] = []
        self.overflowed: list[int] = []
        self.count = 0

    def zero_grad(self, set_to_none: bool = True) -> None:
        """As every optimiser does."""
        self.optimizer.zero_grad(set_to_none=set_to_none)

    def step(self) -> None:
        """One step, or none."""
        self.count += 1
        if self.scaler is None:
            self.optimizer.step()
            return
        self.scales.append(float(self.scaler.get_scale()))
        self.scaler.unscale_(self.optimizer)
        own = [p for group in self.optimizer.param_groups for p in group["params"] if p.grad is not None]
        if not all(bool(torch.isfinite(p.grad).all()) for p in own):
            self.overflowed.append(self.count - 1)
        if self.most is not None:
            torch.nn.utils.clip_grad_norm_(own, self.most)
        self.scaler.step(self.optimizer)
        self.scaler.update()


class Losses:
    """What upstream's loop logs its steps into: each step's loss without its scale."""

    def __init__(self, loss: ScaledLoss) -> None:
        self.loss = loss
        self.steps: list[float] = []

    def log(self, _: dict[str, Any]) -> None:
        """One step."""
        self.steps.append(self.loss.last)
