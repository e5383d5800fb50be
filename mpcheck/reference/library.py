"""References by block, from the cache or built on demand; one block in memory at a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from mpcheck._raised import Raised, attempt
from mpcheck._torch_state import neutral
from mpcheck.adapters.backends.casting import replaced
from mpcheck.adapters.backends.e3nn import E3nnModel
from mpcheck.adapters.blocks import Block
from mpcheck.adapters.execution import Run, Tensors
from mpcheck.formats import FORMATS, WIDE
from mpcheck.reference.build import RANDOM, build_reference, evaluate, random_cotangents
from mpcheck.reference.capture import INDEX, Comparable, block_from_json, capture, with_new_blocks
from mpcheck.reference.cut import cut
from mpcheck.reference.emulation import SingleRounding
from mpcheck.reference.faults import NoReferenceError, UnsteadyError
from mpcheck.reference.noise import ConstantRounding, seed_of
from mpcheck.reference.packed import packed_noise, packed_values, unpacked_noise, unpacked_values
from mpcheck.reference.sample import MOST_NUMBERS, SystemSample
from mpcheck.reference.serial_gathers import SerialGathers
from mpcheck.reference.spec import ReferenceSpec
from mpcheck.reference.steady import copied, unlike
from mpcheck.reference.store import Store


@dataclass(frozen=True)
class BlockReference:
    """Everything that a replay of one block is judged by.

    Attributes:
        inputs, skeleton: the block's float64 arguments.
        values: float64 outputs and gradients: ``out…``, ``grad.CASE.INPUT``, ``weight.CASE.PARAMETER``.
        cotangents: by case, then by output.
        noise: noise scale for u = 1 by quantity, then by component.
        statistics: per quantity, see :class:`mpcheck.reference.moments.Moments`.
        peaks: largest magnitude among arguments, parameters and intermediate results, by direction.
    """

    block: Block
    skeleton: Any
    inputs: Tensors
    values: Tensors
    cotangents: dict[str, Tensors]
    noise: dict[str, dict[str, torch.Tensor]]
    statistics: dict[str, Any]
    peaks: dict[str, float]


class Library:
    """References of one model on one system."""

    def __init__(
        self, backend: E3nnModel, graph: Tensors, spec: ReferenceSpec, root: Path, progress: Callable[[str], None] = lambda _: None,
        device: torch.device | None = None,
    ) -> None:  # fmt: skip
        """Args:
        backend: that makes references, on its own device.
        root: directory of the cache.
        device: where they are used; by default where they are made.
        """
        self.backend = backend
        self.device = backend.device if device is None else device
        self.graph = graph
        self.spec = spec
        self.store = Store(root, spec.key, spec.code, not spec.pinned)
        self.progress = progress
        self._index: dict[str, Any] | None = None
        self._held: BlockReference | None = None
        self._blocks: dict[str, Block] = {}
        self._wrong: dict[str, str] = {}
        self._costs: dict[str, dict[str, float]] = {}
        self._stored: dict[tuple[str, torch.dtype], dict[str, Tensors]] = {}

    def _capture(self) -> None:
        self.progress("capturing block inputs in float64")
        part = dict(self.graph) if self.spec.every_row else cut(self.graph, self.spec.seed)
        if part["edge_index"].shape == self.graph["edge_index"].shape:
            self._captured(part, None if self.spec.every_row else SystemSample(part, self.spec.seed))
            return
        # of a part, blocks are kept no larger than they need be; a model that cannot do with atoms that have no neighbours gets all of it
        found = attempt(lambda: self._captured(part, SystemSample(part, self.spec.seed, MOST_NUMBERS, cut=True)))
        if isinstance(found, Raised):
            self.progress("capturing block inputs in float64, on the whole structure")
            self._captured(dict(self.graph), SystemSample(self.graph, self.spec.seed))

    def _captured(self, graph: Tensors, sample: SystemSample | None) -> None:
        on_device = {k: v.to(self.backend.device) for k, v in graph.items()}
        capture(self.backend.model, on_device, self.store, self._unlike_first, self.spec.by, sample, self._costs)

    def _unlike_first(self, block: Block, skeleton: Any, inputs: Tensors, first: Tensors, comparable: Comparable) -> str:
        """What is wrong with a block's first call, or with the first one that is differentiated."""
        cotangents = {RANDOM: random_cotangents(first, self.spec.seed, block.name)}
        calls = []
        for _ in range(2):
            given, began = copied(inputs, self.backend.device), time.perf_counter()
            calls.append(evaluate(self.backend, block, skeleton, given, cotangents))
            seconds = round(time.perf_counter() - began, 6)  # of the later call: the first one compiles
            self._costs[block.name] = {
                "seconds": seconds,
                "numbers": sum(t.numel() * (1 if n.startswith("out") else 2) for n, t in calls[-1].items()),
            }
        before = comparable(first)
        partial = any(before[n].shape != t.shape for n, t in first.items())
        if partial and not all(bool(t.isfinite().all()) for t in calls[0].values()):
            return "is not finite where a sample lacks neighbours"
        return unlike(comparable(calls[0]), before) or unlike(comparable(calls[1]), before) or unlike(calls[0], calls[1])

    @property
    def index(self) -> dict[str, Any]:
        """The captured blocks: order, descriptions, shapes. Of other code's references, with the blocks that only this code has."""
        if self._index is None:
            try:
                _, self._index = self.store.fetch(INDEX, self._capture)
            except NoReferenceError:
                self._index = {"order": [], "entries": {}, "modules": [], "made": ""}
            if self.spec.pinned:
                self._index = with_new_blocks(self._index, self.backend.model)
        return self._index

    def _run_another(self, name: str) -> None:
        """Call another block than this one, which one is drawn by its name."""
        others = [other for other in self.index["order"] if other != name and self.refused(other) is None]
        if others:
            other = others[seed_of("another", name) % len(others)]
            inputs, skeleton = self._inputs(other)
            block = self.block(other)
            Run(lambda arguments: self.backend.call(block, arguments), skeleton, copied(inputs, self.backend.device), {}, grad=False)

    @neutral()
    def blocks(self) -> list[Block]:
        """Blocks in the order in which the model calls them."""
        return [self.block(name) for name in self.index["entries"]]

    def block(self, name: str) -> Block:
        """A block by name."""
        if name not in self._blocks:
            self._blocks[name] = block_from_json(self.index["entries"][name]["block"])
        return self._blocks[name]

    def refused(self, name: str) -> str | None:
        """Why a block's arguments could not be stored."""
        reason: str | None = self.index["entries"][name]["refused"]
        return reason

    def shapes(self, name: str) -> dict[str, list[int]]:
        """Shapes of a block's tensor arguments."""
        shapes: dict[str, list[int]] = self.index["entries"][name]["shapes"]
        return shapes

    def rows(self, name: str) -> dict[str, int]:
        """``atoms`` and ``edges`` that a block's arguments count; empty where these are its system's."""
        rows: dict[str, int] = self.index["entries"][name].get("rows") or self.index.get("part") or {}
        return rows

    def sampled(self) -> str:
        """What blocks are judged on where that is not all of the system, in words; empty where it is."""
        edges = int(self.graph["edge_index"].shape[1])
        part = self.index.get("part") or {"edges": edges}
        in_part = [name for name, entry in self.index["entries"].items() if entry.get("rows")]
        said = f"blocks are judged on a part of it with {part['edges']:,} of {edges:,} edges" if part["edges"] < edges else ""
        if in_part:
            those = f"{len(in_part)} blocks with large tensors on a sample of "
            said = f"{said}, {those}its rows" if said else f"{those}their rows"
        return f"{said} (--rows all: on all)" if said else ""

    def cost(self, name: str) -> tuple[float, int]:
        """Seconds of one float64 call of a block with gradients, and how many numbers its reference has; zeros where the reference is there."""
        known = self.index["entries"][name].get("cost") or {}
        made = self.store.has(f"{name}.reference")
        return (0.0, 0) if made else (float(known.get("seconds", 0.0)), int(known.get("numbers", 0)))

    def numbers(self, name: str) -> int:
        """How many numbers the reference of a block has, of a composite also those of the blocks inside of it; the same on every machine."""
        inside = [n for n in self.index["entries"] if n == name or n.startswith(f"{name}.")]
        return sum(int((self.index["entries"][n].get("cost") or {}).get("numbers", 0)) for n in inside)

    def _inputs(self, name: str) -> tuple[Tensors, Any]:
        tensors, manifest = self.store.fetch(f"{name}.inputs", self._capture)
        return tensors, manifest["skeleton"]

    def _build(self, name: str) -> None:
        self.progress(f"noise scale of {name}")
        block = self.block(name)
        inputs, skeleton = self._inputs(name)
        energy: Tensors = {}
        for output in self.index["entries"][name]["cotangents"]:
            energy.update(self.store.fetch(f"{name}.cotangent.{output}", self._capture)[0])
        tensors, manifest = build_reference(
            self.backend, block, skeleton, inputs, energy, self.spec.seed, self.spec.draws, lambda: self._run_another(name)
        )
        kept = {n: packed_noise(t) if n.startswith("noise:") else t for n, t in tensors.items()}
        self.store.save(f"{name}.reference", kept, manifest)

    @neutral()
    def get(self, name: str) -> BlockReference:
        """The reference of a block; the last one asked for is kept.

        Raises:
            UnsteadyError: the block computes other float64 values from call to call.
            NoReferenceError: it is to be judged by other code's, which has none of it.
        """
        if wrong := self.index["entries"][name].get("unsteady"):
            raise UnsteadyError(
                name,
                f"{name} computes other float64 values in its first call: {wrong}; nothing can be judged by them "
                f"(kept in {self.store.path}: remove it to have that call made again by the same code)",
            )
        if name in self._wrong:  # told once, it is not asked again until it happens to answer well
            raise UnsteadyError(name, self._wrong[name])
        if self._held is None or self._held.block.name != name:
            self._held = None
            try:
                self._held = self._load(name)
            except UnsteadyError as error:
                self._wrong[name] = str(error)
                raise
        return self._held

    @neutral()
    def rounded(self, name: str, dtype: torch.dtype) -> Tensors:
        """Float64 values of a block on arguments and parameters that a format stores."""
        return self._in_format(name, dtype)["rounded"]

    def emulated(self, name: str, dtype: torch.dtype) -> Tensors:
        """The same, each operation's result rounded to the format as well."""
        return self._in_format(name, dtype)["emulated"]

    def _in_format(self, name: str, dtype: torch.dtype) -> dict[str, Tensors]:
        if (name, dtype) not in self._stored:
            self._stored = {k: v for k, v in self._stored.items() if k[0] == name}
            elsewhere = f".{self.device.type}" if self.device.type != self.backend.device.type else ""  # how it adds up is emulated
            entry = f"{name}.rounded.{str(dtype).removeprefix('torch.')}{elsewhere}"

            exact = self.get(name).values

            def build() -> None:
                made = rounded_values(self.backend, self.get(name), dtype, self.device.type)
                here = {kind: {n: t.to(self.device) for n, t in tensors.items()} for kind, tensors in made.items()}
                self.store.save(entry, packed_values(here, exact, dtype), {})

            self._stored[name, dtype] = unpacked_values(self.store.fetch(entry, build)[0], exact)
        return self._stored[name, dtype]

    def _load(self, name: str) -> BlockReference:
        if name not in self.index["order"]:
            raise NoReferenceError(name, self.spec.code, "the model has no such block there, or was not evaluated")
        tensors, manifest = self.store.fetch(f"{name}.reference", lambda: self._build(name))
        inputs, skeleton = self._inputs(name)
        values: Tensors = {}
        cotangents: dict[str, Tensors] = {}
        noise: dict[str, dict[str, torch.Tensor]] = {}
        for key, tensor in tensors.items():
            kind, _, rest = key.partition(":")
            moved = tensor.to(self.device)
            if kind == "value":
                values[rest] = moved
                noise.setdefault(rest, {})
            elif kind == "cotangent":
                case, _, output = rest.partition(".")
                cotangents.setdefault(case, {})[output] = moved
            else:
                component, _, quantity = rest.partition(":")
                noise.setdefault(quantity, {})[component] = unpacked_noise(moved)
        block = self.block(name)
        on_device = {n: t.to(self.device) for n, t in inputs.items()}
        return BlockReference(block, skeleton, on_device, values, cotangents, noise, manifest["statistics"], manifest["peaks"])


def rounded_values(backend: E3nnModel, reference: BlockReference, dtype: torch.dtype, device: str = "cpu") -> dict[str, Tensors]:
    """The block's float64 values on what a format stores, by what else is rounded.

    rounded: arguments, cotangents, parameters, tables rounded once. Measured against these, a low-precision result shows the error of its
    arithmetic alone. emulated: each operation's result rounded as well, which no sound arithmetic of the format does better than; the gradient
    of indexing row by row where ``device``, which is judged by it, adds it up in the format.
    """

    def once(t: torch.Tensor) -> torch.Tensor:
        here = t.to(backend.device)
        return here.to(dtype).to(torch.float64) if t.dtype == torch.float64 else here

    inputs = {n: once(t) for n, t in reference.inputs.items()}
    cotangents = {case: {n: once(c) for n, c in by_output.items()} for case, by_output in reference.cotangents.items()}
    gathers = FORMATS[str(dtype).removeprefix("torch.")].on(device)["gather"]
    emulation = SerialGathers if gathers > WIDE else SingleRounding
    made = {}
    for kind, mode in (("rounded", ConstantRounding(dtype)), ("emulated", emulation(dtype))):
        with replaced(backend.module(reference.block), once), mode:
            made[kind] = evaluate(backend, reference.block, reference.skeleton, inputs, cotangents)
    return made
