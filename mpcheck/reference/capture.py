"""One float64 pass of the whole model: every block's arguments, and the energy's cotangents of its outputs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import torch

from mpcheck._errors import InputError
from mpcheck._raised import Raised, attempt
from mpcheck.adapters.blocks import Block, composite_modules, describe, leaf_modules
from mpcheck.adapters.observe import Observer
from mpcheck.adapters.slots import Slot
from mpcheck.adapters.upstream import quiet
from mpcheck.reference.sample import Kept, SystemSample, widths_of
from mpcheck.reference.steady import unlike
from mpcheck.reference.store import Damaged, Store

INDEX = "index"


def block_from_json(data: dict[str, Any]) -> Block:
    """The inverse of ``asdict``."""
    slots = {side: {k: Slot(**v) for k, v in data[side].items()} for side in ("inputs", "outputs")}
    return Block(**{**data, **slots, "positional": tuple(data.get("positional", ()))})


@dataclass(frozen=True)
class FirstCall:
    """Rows of what a block computed when it was first called."""

    kept: Kept
    results: Mapping[str, torch.Tensor]

    def unlike(self, output: str, value: torch.Tensor) -> str:
        """What is wrong with a later result that is another one; nothing where it is the same."""
        before = {n: t for n, t in self.results.items() if n == output}
        return unlike(before, {output: self.kept.output(value.detach()).to("cpu")})


class StoreSink:
    """Writes what is observed straight to the cache, so that no more than one block's tensors are held for it."""

    def __init__(
        self, store: Store, sample: SystemSample | None = None, widths: Mapping[str, int] | None = None,
        whole: Mapping[str, FirstCall] | None = None,
    ) -> None:  # fmt: skip
        """Args:
        sample: of rows, where blocks with large tensors are kept in part. widths: see :func:`mpcheck.reference.sample.widths_of`.
        whole: blocks that are kept whole, with what a sample of their first call computed: what a later call does not, is in ``moved``.
        """
        self.store = store
        self.sample, self.widths, self.whole = sample, widths or {}, whole or {}
        self.kept: dict[str, Kept] = {}
        self.moved: dict[str, str] = {}
        self.blocks: dict[str, dict[str, Any]] = {}
        self.cotangents: dict[str, list[str]] = {}
        self.outputs: dict[str, list[str]] = {}
        self.held: dict[str, dict[str, torch.Tensor]] = {}

    def inputs(self, block: Block, skeleton: Any, tensors: dict[str, torch.Tensor]) -> None:
        """Arguments of one call."""
        shapes, rows = {n: list(t.shape) for n, t in tensors.items()}, None
        if self.sample is not None and block.name not in self.whole:
            kept = self.sample.of(block, skeleton, tensors, self.widths.get(block.module_path, 1))
            if kept is not None:
                self.kept[block.name] = kept
                tensors, skeleton = kept.inputs(tensors), kept.skeleton(skeleton, self.sample.atoms)
                rows = {n: len(kept.rows.get(count, range(count))) for n, count in (("atoms", self.sample.atoms), ("edges", self.sample.edges))}
        self.store.save(f"{block.name}.inputs", tensors, {"skeleton": skeleton})
        self.blocks[block.name] = {"block": asdict(block), "shapes": shapes, "refused": None, "rows": rows}

    def _rows(self, block: str, value: torch.Tensor) -> torch.Tensor:
        return self.kept[block].output(value) if block in self.kept else value

    def complete(self, block: str, results: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Of a block's results those rows that do not depend on what was left out."""
        if block not in self.kept or self.sample is None:
            return dict(results)
        return {name: self.kept[block].complete(self.sample.atoms, value) for name, value in results.items()}

    def refused(self, block: Block, reason: str) -> None:
        """A call that cannot be stored."""
        self.blocks[block.name] = {"block": asdict(block), "shapes": {}, "refused": reason}

    def output(self, block: str, output: str, value: torch.Tensor) -> None:
        """What the first call computed. A reference has outputs that are recomputed from the stored inputs; these must be the same."""
        self.store.save(f"{block}.first.{output}", {output: self._rows(block, value)}, {})
        self.outputs.setdefault(block, []).append(output)
        if block in self.whole and (wrong := self.whole[block].unlike(output, value)):
            self.moved[block] = wrong

    def first_call(self, block: str) -> FirstCall:
        """What the first call of a block that is kept in part computed."""
        return FirstCall(self.kept[block], self.held[block])

    def cotangent(self, block: str, output: str, value: torch.Tensor) -> None:
        """dE/d(output)."""
        self.cotangents.setdefault(block, []).append(output)
        self.store.save(f"{block}.cotangent.{output}", {output: self._rows(block, value)}, {})


Comparable = Callable[[Mapping[str, torch.Tensor]], dict[str, torch.Tensor]]
"""Of results by name, what must be the same in two calls."""
Check = Callable[[Block, Any, dict[str, torch.Tensor], dict[str, torch.Tensor], Comparable], str]
"""Takes a block, the skeleton and the tensors of its arguments, what its first call computed, and what of that can be compared; what is wrong
with it, or nothing.
"""


def capture(
    model: torch.nn.Module, graph: dict[str, torch.Tensor], store: Store, check: Check, by: Sequence[str] = (),
    sample: SystemSample | None = None, costs: Mapping[str, Mapping[str, float]] | None = None,
) -> None:  # fmt: skip
    """Run energy and its derivative once and store what every block saw; the index of blocks comes last.

    Args:
        check: asked of every block in reverse order, before anything has been differentiated.
        by: packages that do it, in words.
        sample: of rows, where blocks with large tensors are kept in part.
        costs: what ``check`` has found of each block's, by name; they are kept.

    Raises:
        InputError: the model has no energy, or it is not finite on this structure.
        BaseException: whatever the model's forward raises, which is a fault of some block.
    """
    widths = widths_of(model) if sample is not None else {}
    whole: dict[str, FirstCall] = {}
    while True:
        sink = StoreSink(store, sample, widths, whole)
        data, energy = _observed(model, graph, sink)
        unsteady = {name: _checked(sink, name, check) for name in reversed(sink.blocks)}
        if not (otherwise := {name: sink.first_call(name) for name in sink.kept if unsteady[name]}):
            break
        whole |= otherwise  # a row of theirs depends on others, or they are unsteady: which, the next call tells
    unsteady |= {name: wrong for name, wrong in sink.moved.items() if not unsteady[name]}
    with quiet():
        parameters = [p for p in model.parameters() if p.requires_grad]
        wanted = [data["positions"], *parameters]
        if energy.requires_grad:
            torch.autograd.grad(energy.sum(), wanted, allow_unused=True)
    order = list(sink.blocks)
    entries = {name: {**sink.blocks[name], "cotangents": sink.cotangents.get(name, []), "unsteady": unsteady[name]} for name in order}
    modules = [path for path, _ in (*leaf_modules(model), *composite_modules(model))]
    for name, cost in (costs or {}).items():
        entries[name]["cost"] = dict(cost)
    part = {} if sample is None else {"part": {"atoms": sample.atoms, "edges": sample.edges}}
    store.save(INDEX, {}, {"order": order, "entries": entries, "modules": modules, "by": list(by), **part})


def _observed(model: torch.nn.Module, graph: dict[str, torch.Tensor], sink: StoreSink) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    """The model's energies, whose every block the sink has seen, and what it was given."""
    observer = Observer(model, sink)
    data = {k: v.clone() for k, v in graph.items()}  # upstream writes into the dictionary and asks for gradients
    with quiet(), observer.watching():
        out = model(data, compute_force=False)
        if not isinstance(out.get("energy"), torch.Tensor):
            raise InputError(f"the model ({type(model).__name__}) computes no energy; mpcheck judges models of energies and forces")
        if not bool(torch.isfinite(out["energy"]).all()):
            raise InputError("the model's float64 energy is not finite on this structure; check the structure and the weights")
    energy: torch.Tensor = out["energy"]
    return data, energy


def _checked(sink: StoreSink, name: str, check: Check) -> str:
    """What is wrong with a block's first call. Its outputs go: what is kept is the reference's own."""
    if sink.blocks[name]["refused"] is not None:
        return ""
    first: dict[str, torch.Tensor] = {}
    for output in sink.outputs.get(name, []):
        with contextlib.suppress(Damaged):  # another process captures as well, and has removed it
            first.update(sink.store.load(f"{name}.first.{output}")[0])
        sink.store.drop(f"{name}.first.{output}")
    if name in sink.kept:
        sink.held[name] = first
    tensors, manifest = sink.store.load(f"{name}.inputs")
    block = block_from_json(sink.blocks[name]["block"])
    with quiet():
        wrong = attempt(lambda: check(block, manifest["skeleton"], tensors, first, partial(sink.complete, name)))
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
