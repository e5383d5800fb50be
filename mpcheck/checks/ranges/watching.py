"""One float64 pass of a whole model, forward and backward: the magnitudes of every block's tensors, as they are computed; nothing is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from mpcheck.adapters.blocks import WHOLE, Block
from mpcheck.adapters.execution import Tensors
from mpcheck.adapters.observe import Observer
from mpcheck.adapters.slots import PLAIN, Slot
from mpcheck.adapters.steps import step_kind
from mpcheck.adapters.upstream import quiet
from mpcheck.checks.ranges.statistics import Magnitudes, extremes, layout, magnitudes
from mpcheck.formats import Format
from mpcheck.records.range_figures import Kind, Layout
from mpcheck.reference.dispatch import DispatchMode
from mpcheck.reference.operations import operation_of

MODEL = "model"
"""Subject of what the model itself gives, and computes between its blocks."""
WAY = "way"
COORDINATES = "edge_vectors"
"""The step that makes vectors of coordinates."""
GRAD = "grad."


@dataclass(frozen=True)
class Watched:
    """One tensor; of ``way`` the largest and smallest results, and the operation of the former."""

    kind: Kind
    sizes: Magnitudes
    layout: Layout | None = None
    worst: str = ""


@dataclass
class Seen:
    """What a pass saw: tensors by block and name, in the order in which they came.

    Attributes:
        blocks: by name; the model itself is :data:`MODEL`.
        atoms: of each graph. neighbours: of the atom that has most. made: bytes of all that the forward pass computed.
    """

    blocks: dict[str, Block] = field(default_factory=dict)
    tensors: dict[str, dict[str, Watched]] = field(default_factory=dict)
    atoms: list[int] = field(default_factory=list)
    neighbours: int = 0
    made: int = 0


class Way(DispatchMode):
    """The largest and smallest results of operations, by the blocks that they are in."""

    def __init__(self, observer: Observer, sink: RangeSink) -> None:
        super().__init__()
        self.observer, self.sink = observer, sink

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        operation = operation_of(func)
        if operation.rounds and isinstance(result, torch.Tensor) and result.is_floating_point() and result.numel():
            self.sink.seen.made += result.numel() * result.element_size()
            most, least = extremes(result)
            if most > 0:
                self._add(most, least, operation.name)
        return result

    def _add(self, largest: float, smallest: float, name: str) -> None:
        blocks = [*(called for _, called in self.observer.stack), *filter(None, (self.sink.step,))]
        if step_kind(self.sink.step) != COORDINATES:  # how far atoms are from the origin is no matter of the model
            blocks.append(MODEL)
        for block in blocks:
            known = self.sink.seen.tensors.setdefault(block, {}).get(WAY)
            most, least = (known.sizes.largest, known.sizes.smallest) if known else (0.0, float("inf"))
            worst = name if known is None or largest > most else known.worst
            self.sink.seen.tensors[block][WAY] = Watched("way", Magnitudes(0, max(most, largest), min(least, smallest)), worst=worst)


class RangeSink:
    """Takes what an observer sees; gradients come later, by hooks."""

    def __init__(self, formats: Sequence[Format]) -> None:
        self.formats = formats
        self.seen = Seen()
        self.step = ""
        self.memory: dict[str, dict[int, list[str]]] = {}

    def add(self, block: str, name: str, kind: Kind, value: torch.Tensor, slot: Slot = PLAIN, laid: bool = True) -> None:
        """One floating-point tensor."""
        if not value.numel():
            return
        if not self.formats:
            self.seen.tensors.setdefault(block, {})[name] = Watched(kind, Magnitudes(value.numel(), *extremes(value)))
            return
        held = self.memory.get(block) if kind == "output" else None
        self.seen.tensors.setdefault(block, {})[name] = Watched(kind, magnitudes(value, self.formats), layout(value, slot, held) if laid else None)

    def inputs(self, block: Block, skeleton: Any, tensors: dict[str, torch.Tensor]) -> None:
        """Arguments of one call; what is no floating-point number has no range."""
        self.seen.blocks[block.name] = block
        memory = self.memory[block.name] = {}
        for name, value in tensors.items():
            if not value.is_floating_point():
                continue
            memory.setdefault(value.untyped_storage().data_ptr(), []).append(f"in.{name}")
            self.add(block.name, f"in.{name}", "input", value, block.input_slot(name))
            if value.requires_grad:
                value.register_hook(lambda grad, name=name: self.gradient(block.name, f"in.{name}", grad))
        self.step = block.name if block.kind == "step" else ""

    def refused(self, block: Block, reason: str) -> None:
        """A call with arguments that are no tensors: its results are seen."""
        self.seen.blocks[block.name] = block

    def output(self, block: str, output: str, value: torch.Tensor) -> None:
        """One result."""
        self.step = ""
        self.add(block, output, "output", value, self.seen.blocks[block].output_slot(output))

    def cotangent(self, block: str, output: str, value: torch.Tensor) -> None:
        """dE/d(output)."""
        self.gradient(block, output, value)

    def gradient(self, block: str, name: str, value: torch.Tensor) -> None:
        """dE/d(tensor)."""
        self.add(block, f"{GRAD}{name}", "gradient", value)


def watched(model: torch.nn.Module, graph: Mapping[str, torch.Tensor], formats: Sequence[Format] = ()) -> Seen:
    """A float64 model's energies, and their derivative by positions and parameters.

    Args:
        graph: on the model's device; not changed. formats: none for the largest and smallest magnitudes alone.

    Raises:
        BaseException: whatever the model raises.
    """
    sink = RangeSink(formats)
    observer = Observer(model, sink)
    data: Tensors = {k: v.clone() for k, v in graph.items()}  # upstream writes into the dictionary and asks for gradients
    with torch.enable_grad(), quiet():
        with observer.watching(), Way(observer, sink):
            out = model(data, compute_force=False)
        sink.seen.blocks[MODEL] = WHOLE
        for name, value in out.items():
            if isinstance(value, torch.Tensor) and value.is_floating_point():
                sink.add(MODEL, f"out.{name}", "output", value)
        _weights(model, sink)
        _differentiate(model, data["positions"], out["energy"], sink)
    sink.seen.atoms = torch.bincount(graph["batch"]).tolist()
    receivers = graph["edge_index"][1]
    sink.seen.neighbours = int(torch.bincount(receivers).max()) if len(receivers) else 0
    return sink.seen


def _weights(model: torch.nn.Module, sink: RangeSink) -> None:
    for name, module in _owners(model, sink):
        for key, tensor in (*module.named_parameters(), *module.named_buffers()):
            if tensor.is_floating_point():
                sink.add(name, f"weight.{key}", "weight", tensor)


def _differentiate(model: torch.nn.Module, positions: torch.Tensor, energy: torch.Tensor, sink: RangeSink) -> None:
    if not energy.requires_grad:
        return
    trained = {n: p for n, p in model.named_parameters() if p.requires_grad}
    wanted = {**trained, **({"positions": positions} if positions.requires_grad else {})}
    found = dict(zip(wanted, torch.autograd.grad(energy.sum(), list(wanted.values()), allow_unused=True), strict=True))
    if (forces := found.pop("positions", None)) is not None:
        sink.add(MODEL, f"{GRAD}positions", "gradient", forces)
    for name, _ in _owners(model, sink):
        prefix = f"{sink.seen.blocks[name].module_path}."
        for key, gradient in found.items():
            if key.startswith(prefix) and gradient is not None:
                sink.add(name, f"{GRAD}weight.{key.removeprefix(prefix)}", "gradient", gradient)


def _owners(model: torch.nn.Module, sink: RangeSink) -> list[tuple[str, torch.nn.Module]]:
    """Leaves with their modules: a composite's weights are those of the leaves in it, and a step has none."""
    return [(name, model.get_submodule(block.module_path)) for name, block in sink.seen.blocks.items() if block.kind == "leaf"]
