"""The step of Adam with AMSGrad in closed form, and which parameters upstream lets decay: what upstream's own optimiser is judged by.

Kingma and Ba, Adam, ICLR 2015, algorithm 1, with the maximum of Reddi, Kale and Kumar, ICLR 2018, algorithm 2, taken before the correction of
its bias as torch takes it, and weight decay added to the gradient. Written anew because what is judged is torch's and upstream's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch

from mpcheck.adapters.backends.parametrisation import OWN
from mpcheck.adapters.learning.taking import STATES, Settings

Tensors = dict[str, torch.Tensor]
State = dict[str, Tensors]
"""By :data:`mpcheck.adapters.learning.taking.STATES`, then by parameter."""


@dataclass(frozen=True)
class Step:
    """What the optimiser makes of gradients: ``after`` and ``change`` of every parameter, and its new ``state``."""

    after: Tensors
    change: Tensors
    state: State


def decays(parameter: str) -> bool:
    """Whether upstream's trainer lets a parameter decay: the linear layers of the interactions, and all of the products.

    ``mace.tools.scripts_utils.get_params_options`` says so by the parameter's name.
    """
    name = parameter.removeprefix(OWN)
    if name.startswith("interactions."):
        return "linear.weight" in name or "skip_tp_full.weight" in name
    return name.startswith("products.")


GROUPS = ("node_embedding", "interactions", "products", "readouts", "joint_embedding", "embedding_readout", "les_readouts")
"""Parts of a model whose parameters upstream's trainer gives to its optimiser; others get a gradient and stay."""


def updated(parameter: str) -> bool:
    """Whether upstream's trainer gives a parameter to its optimiser."""
    return parameter.removeprefix(OWN).partition(".")[0] in GROUPS


def clipped(gradients: Mapping[str, torch.Tensor], most: float) -> Tensors:
    """Gradients whose common norm is no more than ``most``, up to torch's 1e-6 in the denominator."""
    norm = torch.stack([g.to(torch.float64).square().sum() for g in gradients.values()]).sum().sqrt()
    factor = (most / (norm + 1e-6)).clamp(max=1.0)
    return {n: g * factor.to(g.dtype) for n, g in gradients.items()}


def fresh(parameters: Mapping[str, torch.Tensor]) -> State:
    """The state before the first step."""
    return {kind: {n: torch.zeros_like(p) for n, p in parameters.items()} for kind in STATES}


def stepped(settings: Settings, parameters: Mapping[str, torch.Tensor], gradients: Mapping[str, torch.Tensor], state: State, steps: int) -> Step:
    """One step.

    Args:
        gradients: before they are clipped, whose norm counts all of them; parameters without one stay, and so do those that are not :func:`updated`.
        state: before the step, which is number ``steps + 1``.
    """
    number, (first, second) = steps + 1, settings.betas
    step_size, root = settings.lr / (1 - first**number), math.sqrt(1 - second**number)
    made = Step({}, {}, {kind: {} for kind in STATES})
    for name, gradient in clipped({n: g for n, g in gradients.items() if n in parameters}, settings.max_norm).items():
        if not updated(name):
            continue
        weight = parameters[name]
        given = gradient + settings.weight_decay * weight if decays(name) else gradient
        mean = first * state["exp_avg"][name] + (1 - first) * given
        square = second * state["exp_avg_sq"][name] + (1 - second) * given * given
        largest = torch.maximum(state["max_exp_avg_sq"][name], square)
        after = weight - step_size * (mean / (largest.sqrt() / root + settings.eps))
        made.after[name], made.change[name] = after, after - weight
        for kind, value in zip(STATES, (mean, square, largest), strict=True):
            made.state[kind][name] = value
    return made
