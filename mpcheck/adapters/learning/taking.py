"""One optimisation step as upstream's trainer takes it: its loss, its groups of parameters and optimiser, its ``take_step``."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from mpcheck.adapters.upstream import default_dtype, quiet

with quiet():
    from mace.tools import scripts_utils
    from mace.tools.train import take_step

STATES = ("exp_avg", "exp_avg_sq", "max_exp_avg_sq")
"""What AMSGrad keeps of every parameter, under torch's names."""


@dataclass(frozen=True)
class Settings:
    """What a step depends on besides the batch: by default what upstream's command line has by default.

    Attributes:
        lr: learning rate. weight_decay: added to the gradient times the weight, of some groups. betas, eps: of Adam.
        max_norm: the gradient's norm is clipped to it. energy, forces, stress: weights of the loss.
        strained: whether the loss has a term of the stress, as upstream's ``--loss stress``; else it is ``--loss weighted``.
    """

    lr: float = 0.01
    weight_decay: float = 5e-7
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    max_norm: float = 10.0
    energy: float = 1.0
    forces: float = 100.0
    stress: float = 1.0
    strained: bool = False

    @property
    def arguments(self) -> argparse.Namespace:
        """As upstream's functions read them. ``betas[1]`` and ``eps`` are torch's defaults, which upstream has no option for."""
        return argparse.Namespace(
            loss="stress" if self.strained else "weighted", energy_weight=self.energy, forces_weight=self.forces, stress_weight=self.stress,
            optimizer="adam", lr=self.lr, weight_decay=self.weight_decay, amsgrad=True, beta=self.betas[0], freeze=None,
            lr_params_factors=json.dumps({f"{part}_lr_factor": 1.0 for part in ("embedding", "interactions", "products", "readouts")}),
        )  # fmt: skip

    @property
    def asked(self) -> dict[str, bool]:
        """What the model is asked for, by upstream's names."""
        return {"forces": True, "virials": False, "stress": self.strained}


@dataclass
class Taken:
    """What one step made, by the model's own names of parameters.

    Attributes:
        loss: unscaled. gradients: as the optimiser is given them, unscaled, before their norm is clipped; those that there are.
        before, after: parameters. state: by :data:`STATES` and parameter. steps: counter of steps by parameter. skipped: no step was taken,
            because gradients were not finite.
    """

    loss: torch.Tensor
    gradients: dict[str, torch.Tensor] = field(default_factory=dict)
    before: dict[str, torch.Tensor] = field(default_factory=dict)
    after: dict[str, torch.Tensor] = field(default_factory=dict)
    state: dict[str, dict[str, torch.Tensor]] = field(default_factory=dict)
    steps: dict[str, float] = field(default_factory=dict)
    skipped: bool = False


def loss_function(settings: Settings, dtype: torch.dtype, device: torch.device) -> torch.nn.Module:
    """Upstream's loss with its weights in a type."""
    with default_dtype(dtype), quiet():
        made: torch.nn.Module = scripts_utils.get_loss_fn(settings.arguments, dipole_only=False, compute_dipole=False)
    return made.to(device)


def optimizer_of(settings: Settings, model: torch.nn.Module) -> torch.optim.Optimizer:
    """Upstream's optimiser with its groups of parameters."""
    with quiet():
        made: torch.optim.Optimizer = scripts_utils.get_optimizer(settings.arguments, scripts_utils.get_params_options(settings.arguments, model))
    return made


def loss_of(model: torch.nn.Module, batch: Any, loss: torch.nn.Module, settings: Settings, forward: Callable[..., Any] | None = None) -> torch.Tensor:
    """The loss with its history, as ``take_step`` computes it."""
    out = (forward or model)(
        batch.to_dict(), training=True, compute_force=True, compute_virials=False, compute_stress=settings.strained,
    )  # fmt: skip
    value: torch.Tensor = loss(pred=out, ref=batch)
    return value


class _Scaling:
    """An optimiser whose gradients come of a scaled loss: what ``take_step`` calls, with the clipping that belongs between unscaling and stepping.

    This is the order that torch's documentation of automatic mixed precision prescribes; upstream's trainer has no loss scale of its own.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, model: torch.nn.Module, scale: float, max_norm: float, seen: Callable[[], None]) -> None:
        device = next(model.parameters()).device.type
        # a scale that never grows: what one step does is asked
        self.scaler = torch.amp.GradScaler(device, init_scale=scale, growth_interval=1 << 30)
        self.optimizer, self.model, self.max_norm, self.seen = optimizer, model, max_norm, seen

    def scaled(self, loss: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
        def call(pred: Any, ref: Any) -> torch.Tensor:
            return self.scaler.scale(loss(pred=pred, ref=ref))

        return call

    def zero_grad(self, set_to_none: bool = True) -> None:
        self.optimizer.zero_grad(set_to_none=set_to_none)

    def step(self) -> None:
        self.scaler.unscale_(self.optimizer)
        self.seen()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), max_norm=self.max_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()


def taken(
    model: torch.nn.Module,
    batch: Any,
    settings: Settings,
    state: Mapping[str, Mapping[str, torch.Tensor]],
    steps: int,
    scale: float | None = None,
    forward: torch.nn.Module | None = None,
) -> Taken:
    """One step of a model, whose parameters it changes.

    Args:
        batch: labelled, of the model's type and device. state: by :data:`STATES`, then by parameter, of the parameters' shapes. steps: taken before.
        scale: of the loss, a power of two, whose gradients are unscaled before the step; None for none.
        forward: what is called in the model's place, such as the model under autocast.
    """
    parameters = {n: p for n, p in model.named_parameters() if p.requires_grad}
    first = next(iter(parameters.values()))
    # upstream casts batches to the default type: the type of what is not a narrow layer
    loss, optimizer = loss_function(settings, batch["positions"].dtype, first.device), optimizer_of(settings, model)
    for name, parameter in parameters.items():
        if all(name in state[kind] for kind in STATES):
            own = {kind: state[kind][name].to(device=parameter.device, dtype=parameter.dtype, copy=True) for kind in STATES}
            optimizer.state[parameter] = {"step": torch.tensor(float(steps)), **own}
    found = Taken(torch.zeros(()), before={n: p.detach().clone() for n, p in parameters.items()})

    def seen() -> None:
        found.gradients.update({n: p.grad.detach().clone() for n, p in parameters.items() if p.grad is not None})

    asked: dict[str, Any] = {"output_args": settings.asked, "ema": None, "device": first.device, "batch": batch, "model": forward or model}
    if scale is None:
        hooks = [p.register_post_accumulate_grad_hook(_keeps(found.gradients, n)) for n, p in parameters.items()]
        try:
            value, _ = take_step(loss_fn=loss, optimizer=optimizer, max_grad_norm=settings.max_norm, **asked)
        finally:
            for hook in hooks:
                hook.remove()
    else:
        scaling = _Scaling(optimizer, model, scale, settings.max_norm, seen)
        value, _ = take_step(loss_fn=scaling.scaled(loss), optimizer=scaling, max_grad_norm=None, **asked)
        value = value / scale
        found.skipped = any(not bool(g.isfinite().all()) for g in found.gradients.values())
    found.loss = value.detach()
    found.after = {n: p.detach().clone() for n, p in parameters.items()}
    for kind in STATES:
        held = {n: optimizer.state[p].get(kind) for n, p in parameters.items() if p in optimizer.state}
        found.state[kind] = {n: t.detach().clone() for n, t in held.items() if isinstance(t, torch.Tensor)}
    found.steps = {n: float(optimizer.state[p].get("step", 0)) for n, p in parameters.items() if p in optimizer.state}
    return found


def _keeps(gradients: dict[str, torch.Tensor], name: str) -> Callable[[torch.Tensor], None]:
    def keep(parameter: torch.Tensor) -> None:
        assert parameter.grad is not None  # that it was accumulated is why this is called
        gradients[name] = parameter.grad.detach().clone()

    return keep


__all__ = ["STATES", "Settings", "Taken", "loss_function", "loss_of", "optimizer_of", "taken"]
