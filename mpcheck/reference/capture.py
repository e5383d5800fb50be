"""One float64 pass of the whole model: every block's arguments, and the energy's cotangents of its outputs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import torch

from mpcheck._errors import InputError
from mpcheck._raised import Raised, attempt
from mpcheck.adapters.blocks import Block, composite_modules, describe, leaf_modules
from mpcheck.adapters.observe import Observer
from mpcheck.adapters.slots import Slot
from mpcheck.adapters.upstream import quiet
from mpcheck.reference.store import Damaged, Store

INDEX = "index"


def block_from_json(data: dict[str, Any]) -> Block:
    """The inverse of ``asdict``."""
    slots = {side: {k: Slot(**v) for k, v in data[side].items()} for side in ("inputs", "outputs")}
    return Block(**{**data, **slots, "positional": tuple(data.get("positional", ()))})


class StoreSink:
    """Writes what is observed straight to the cache, so that no more than one block's tensors are held for it."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.blocks: dict[str, dict[str, Any]] = {}
        self.cotangents: dict[str, list[str]] = {}
        self.outputs: dict[str, list[str]] = {}

    def inputs(self, block: Block, skeleton: Any, tensors: dict[str, torch.Tensor]) -> None:
        """Arguments of one call."""
        shapes = {n: list(t.shape) for n, t in tensors.items()}
        self.store.save(f"{block.name}.inputs", tensors, {"skeleton": skeleton})
        self.blocks[block.name] = {"block": asdict(block), "shapes": shapes, "refused": None}

    def refused(self, block: Block, reason: str) -> None:
        """A call that cannot be stored."""
        self.blocks[block.name] = {"block": asdict(block), "shapes": {}, "refused": reason}

    def output(self, block: str, output: str, value: torch.Tensor) -> None:
        """What the first call computed. A reference has outputs that are recomputed from the stored inputs; these must be the same."""
        self.store.save(f"{block}.first.{output}", {output: value}, {})
        self.outputs.setdefault(block, []).append(output)

    def cotangent(self, block: str, output: str, value: torch.Tensor) -> None:
        """dE/d(output)."""
        self.cotangents.setdefault(block, []).append(output)
        self.store.save(f"{block}.cotangent.{output}", {output: value}, {})


Check = Callable[[Block, Any, dict[str, torch.Tensor], dict[str, torch.Tensor]], str]
"""Takes a block, the skeleton and the tensors of its arguments and what its first call computed; what is wrong with that, or nothing."""


def capture(model: torch.nn.Module, graph: dict[str, torch.Tensor], store: Store, check: Check, by: Sequence[str] = ()) -> None:
    """Run energy and its derivative once and store what every block saw; the index of blocks comes last.

    Args:
        check: asked of every block in reverse order, before anything has been differentiated.
        by: packages that do it, in words.

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
    unsteady = {name: _checked(sink, name, check) for name in reversed(sink.blocks)}
    with quiet():
        parameters = [p for p in model.parameters() if p.requires_grad]
        wanted = [data["positions"], *parameters]
        if out["energy"].requires_grad:
            torch.autograd.grad(out["energy"].sum(), wanted, allow_unused=True)
    order = list(sink.blocks)
    entries = {name: {**sink.blocks[name], "cotangents": sink.cotangents.get(name, []), "unsteady": unsteady[name]} for name in order}
    modules = [path for path, _ in (*leaf_modules(model), *composite_modules(model))]
    store.save(INDEX, {}, {"order": order, "entries": entries, "modules": modules, "by": list(by)})


def _checked(sink: StoreSink, name: str, check: Check) -> str:
    """What is wrong with a block's first call. Its outputs go: what is kept is the reference's own."""
    if sink.blocks[name]["refused"] is not None:
        return ""
    first: dict[str, torch.Tensor] = {}
    for output in sink.outputs.get(name, []):
        with contextlib.suppress(Damaged):  # another process captures as well, and has removed it
            first.update(sink.store.load(f"{name}.first.{output}")[0])
        sink.store.drop(f"{name}.first.{output}")
    tensors, manifest = sink.store.load(f"{name}.inputs")
    with quiet():
        wrong = attempt(lambda: check(block_from_json(sink.blocks[name]["block"]), manifest["skeleton"], tensors, first))
    # the model's pass has just called it on these arguments
    return f"it raises when it is called again: {wrong.text}" if isinstance(wrong, Raised) else wrong


def with_new_blocks(index: dict[str, Any], model: torch.nn.Module) -> dict[str, Any]:
    """Another code's index with the modules of the present model that it does not know at all, so that they are asked for and missed."""
    entries = dict(index["entries"])
    leaves = {path for path, _ in leaf_modules(model)}
    for path, module in (*leaf_modules(model), *composite_modules(model)):
        if path not in index["modules"] and path not in entries:
            block = describe(path, module, "leaf" if path in leaves else "composite")
            entries[path] = {"block": asdict(block), "shapes": {}, "refused": None, "cotangents": []}
    return {**index, "entries": entries}
