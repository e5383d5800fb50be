"""What the blocks of a model return while it runs, and the energy's gradients by them: where two runs part, and who did it."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch

BLOCKS = re.compile(r"(interactions|products|readouts)\.\d+|pair_repulsion_fn|node_embedding|atomic_energies_fn")


@dataclass
class Watched:
    """One run.

    Attributes:
        outputs: first tensor that each block returned, second as ``NAME (second output)``, in the order of the calls.
        gradients: the energy's gradient by ``outputs``, in the order of the backward pass.
        entered: blocks that were called and have not returned.
    """

    outputs: dict[str, torch.Tensor] = field(default_factory=dict)
    gradients: dict[str, torch.Tensor] = field(default_factory=dict)
    entered: list[str] = field(default_factory=list)

    def _enter(self, name: str, *_: Any) -> None:
        self.entered.append(name)

    def _leave(self, name: str, _module: Any, _arguments: Any, result: Any) -> None:
        self.entered.remove(name)
        listed = [t for t in (result if isinstance(result, tuple) else (result,)) if isinstance(t, torch.Tensor)]
        for place, tensor in zip((name, f"{name} (second output)"), listed, strict=False):
            self.outputs[place] = tensor.detach().clone()
            if tensor.requires_grad:
                tensor.register_hook(partial(self._gradient, place))

    def _gradient(self, place: str, gradient: torch.Tensor) -> None:
        self.gradients[place] = gradient.detach().clone()


@contextlib.contextmanager
def watched(model: torch.nn.Module) -> Iterator[Watched]:
    """Watch a model's interactions, products, read-outs and the like; the hooks are removed afterwards."""
    seen = Watched()
    handles = []
    try:
        for name, module in model.named_modules():
            if BLOCKS.fullmatch(name):
                enter: Callable[..., None] = partial(seen._enter, name)
                leave: Callable[..., None] = partial(seen._leave, name)
                handles += [module.register_forward_pre_hook(enter), module.register_forward_hook(leave)]
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def consumer(place: str, names: list[str]) -> str:
    """Who read a block's output, and so gave the gradient by it: the block to blame where that gradient is wrong.

    Args:
        names: blocks that ran, in order.
    """
    block = place.partition(" ")[0]
    kind, _, index = block.partition(".")
    following = {"interactions": f"products.{index}", "node_embedding": "interactions.0"}
    if kind == "products":
        following["products"] = f"interactions.{int(index) + 1}" if f"interactions.{int(index) + 1}" in names else f"readouts.{index}"
    reader = following.get(kind, block)
    return reader if reader in names else block
