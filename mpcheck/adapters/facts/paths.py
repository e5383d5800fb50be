"""Which weights of upstream's symmetric contractions are taken out although a path leads through them, and which are trained without one."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from mpcheck.adapters.upstream import Contraction


@dataclass(frozen=True)
class Misplaced:
    """A contraction that takes out weights of another order than those without a path.

    Attributes:
        lost: parameters that are zero and never trained, though their order has a path. idle: those that are trained without one.
        reversed: whether what was taken out are the orders below the highest counted from the other end.
    """

    lost: tuple[str, ...]
    idle: tuple[str, ...]
    reversed: bool


def misplaced(model: torch.nn.Module) -> list[Misplaced]:
    """Contractions whose flags ``weights_…_zeroed`` contradict their coupling tables; none of models that have no such flags."""
    return [found for path, module in model.named_modules() if isinstance(module, Contraction) and (found := _misplaced(path, module))]


def _misplaced(path: str, module: Contraction) -> Misplaced | None:
    highest, buffers = int(module.correlation), dict(module.named_buffers(recurse=False))
    # upstream lists weights from the highest order downwards: the highest apart, then weights.0, the one below it
    orders = {highest: "weights_max", **{highest - 1 - i: f"weights.{i}" for i in range(highest - 1)}}
    try:
        path_of = {order: bool(buffers[f"U_matrix_{order}"].any()) for order in orders}
        kept = {order: not bool(buffers[f"{name.replace('.', '_')}_zeroed"]) for order, name in orders.items()}
    except KeyError:
        return None
    if kept == path_of:
        return None
    names = {order: f"{path}.{name}" for order, name in orders.items()}
    mirrored = {highest: path_of[highest], **{order: path_of[highest - order] for order in range(1, highest)}}
    lost = tuple(names[o] for o in orders if path_of[o] and not kept[o])
    return Misplaced(lost, tuple(names[o] for o in orders if kept[o] and not path_of[o]), kept == mirrored)
