"""One float64 pass of the whole model: every block's arguments, and the energy's cotangents of its outputs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import torch

from mpcheck._errors import InputError
from mpcheck.adapters.blocks import Block
from mpcheck.adapters.observe import Observer
from mpcheck.adapters.slots import Slot
from mpcheck.adapters.upstream import quiet
from mpcheck.reference.store import Store

INDEX = "index"


def block_from_json(data: dict[str, Any]) -> Block:
    """The inverse of ``asdict``."""
    slots = {side: {k: Slot(**v) for k, v in data[side].items()} for side in ("inputs", "outputs")}
    return Block(**{**data, **slots})


class StoreSink:
    """Writes what is observed straight to the cache, so that no more than one block's tensors are held for it."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.blocks: dict[str, dict[str, Any]] = {}
        self.cotangents: dict[str, list[str]] = {}

    def inputs(self, block: Block, skeleton: Any, tensors: dict[str, torch.Tensor]) -> None:
        """Arguments of one call."""
        shapes = {n: list(t.shape) for n, t in tensors.items()}
        self.store.save(f"{block.name}.inputs", tensors, {"skeleton": skeleton})
        self.blocks[block.name] = {"block": asdict(block), "shapes": shapes, "refused": None}

    def refused(self, block: Block, reason: str) -> None:
        """A call that cannot be stored."""
        self.blocks[block.name] = {"block": asdict(block), "shapes": {}, "refused": reason}

    def output(self, block: str, output: str, value: torch.Tensor) -> None:
        """Outputs are recomputed from the stored inputs, so that a reference depends on nothing else."""

    def cotangent(self, block: str, output: str, value: torch.Tensor) -> None:
        """dE/d(output)."""
        self.cotangents.setdefault(block, []).append(output)
        self.store.save(f"{block}.cotangent.{output}", {output: value}, {})


def capture(model: torch.nn.Module, graph: dict[str, torch.Tensor], store: Store) -> None:
    """Run energy and its derivative once and store what every block saw; the index of blocks comes last.

    Raises:
        InputError: the model has no energy, or it is not finite on this structure.
        BaseException: whatever the model's forward raises, which is a fault of some block.
    """
    sink = StoreSink(store)
    observer = Observer(model, sink)
    data = {k: v.clone() for k, v in graph.items()}  # upstream writes into the dictionary and asks for gradients
    with quiet(), observer.watching():
        out = model(data, compute_force=False)
        if not isinstance(out.get("energy"), torch.Tensor):
            raise InputError(f"the model ({type(model).__name__}) computes no energy; mpcheck judges models of energies and forces")
        if not bool(torch.isfinite(out["energy"]).all()):
            raise InputError("the model's float64 energy is not finite on this structure; check the structure and the weights")
        parameters = [p for p in model.parameters() if p.requires_grad]
        wanted = [data["positions"], *parameters]
        if out["energy"].requires_grad:
            torch.autograd.grad(out["energy"].sum(), wanted, allow_unused=True)
    order = list(sink.blocks)
    entries = {name: {**sink.blocks[name], "cotangents": sink.cotangents.get(name, [])} for name in order}
    store.save(INDEX, {}, {"order": order, "entries": entries})
