"""Calls of a model, as they are recorded: copies of what it was given, within bounds, and never an error in somebody's script."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping
from typing import Any

import torch

from mpcheck._errors import error_line
from mpcheck.adapters.calls import forward_signature, named
from mpcheck.adapters.inputs import model_inputs
from mpcheck.adapters.tree import flatten
from mpcheck.systems.recorded import NEEDED, NUMBERS, BlockInput, Call

READ = ("positions", "edge_index", "shifts", "unit_shifts", "cell", "batch", "ptr", "head", "pbc", "charges", "total_charge", "total_spin")
"""Of a graph, besides elements and what a model takes of its own."""


class Recorder:
    """What was recorded.

    Attributes:
        seen: calls so far. stored: of them with their tensors, by name. problem: why some could not be; lost: how many.
        ended: why no more are stored.
    """

    def __init__(self, model: torch.nn.Module, every: int, limit: int, most_bytes: int) -> None:
        self.every, self.limit, self.most_bytes = every, limit, most_bytes
        self.names = (*READ, *(entry.name for entry in model_inputs(model) if entry.name not in READ))
        numbers: Any = model.atomic_numbers
        self.numbers: torch.Tensor = numbers.detach().to("cpu", torch.long)
        self.seen = self.lost = self.bytes = 0
        self.problem = self.ended = ""
        self.stored: list[tuple[Call, dict[str, torch.Tensor]]] = []
        self._lock, self._here = threading.Lock(), threading.local()

    def begin(self, ours: bool, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """A call begins; ours: not one of a copy of the model."""
        if not ours or torch.compiler.is_compiling():
            return
        with self._lock:
            step, self.seen = self.seen, self.seen + 1
            wanted = step % self.every == 0 and len(self.stored) < self.limit and not self.ended
        self._here.inputs = None
        if not wanted:
            return
        try:
            with torch.no_grad():
                call, tensors = self._copied(step, args[0] if args else kwargs["data"], kwargs)
            self._keep(call, tensors)
        except Exception as error:  # of any driver's graph: its dynamics goes on
            with self._lock:
                self.lost, self.problem = self.lost + 1, self.problem or error_line(error).removeprefix("ValueError: ")

    def _keep(self, call: Call, tensors: dict[str, torch.Tensor]) -> None:
        size = sum(t.numel() * t.element_size() for t in tensors.values())
        with self._lock:
            if len(self.stored) >= self.limit or self.ended:  # another thread was faster
                return
            if self.bytes + size > self.most_bytes:
                self.ended = f"no call after {len(self.stored)} was stored: {self.most_bytes:,} bytes are stored at most (most_bytes=)"
                self.problem = self.problem or ("" if self.stored else self.ended)
                return
            self.bytes += size
            self.stored.append((call, tensors))
            self._here.inputs = call.inputs

    def end(self, ours: bool) -> None:
        """A call has ended, or raised."""
        if ours:
            self._here.inputs = None

    def block(self, path: str, module: torch.nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """A block of the model is called; only its first call is noted."""
        inputs: list[BlockInput] | None = getattr(self._here, "inputs", None)
        if inputs is None or torch.compiler.is_compiling() or any(one.block == path for one in inputs):
            return
        try:
            with torch.no_grad():
                inputs += block_inputs(path, module, args, kwargs)
        except Exception as error:  # a block that cannot be looked at is one less in the file
            self.problem = self.problem or f"inputs of {path}: {error_line(error)}"

    def _copied(self, step: int, data: Mapping[str, Any], kwargs: Mapping[str, Any]) -> tuple[Call, dict[str, torch.Tensor]]:
        if "positions" not in data or "shifts" not in data:
            raise ValueError("the graph has no positions and shifts (LAMMPS' ML-IAP gives vectors alone); record by another driver")
        tensors = {n: data[n].detach().to("cpu", copy=True).contiguous() for n in self.names if isinstance(data.get(n), torch.Tensor)}
        if "cell" in tensors:
            tensors["cell"] = tensors["cell"].reshape(-1, 3)
        if "pbc" in tensors:
            tensors["pbc"] = tensors["pbc"].reshape(-1, 3)
        attributes = data["node_attrs"].detach().to("cpu")
        rows = attributes.argmax(dim=1)
        if not torch.equal(torch.nn.functional.one_hot(rows, len(self.numbers)).to(attributes.dtype), attributes):
            raise ValueError("node_attrs are no rows of one element each")
        tensors[NUMBERS] = self.numbers[rows]
        if missing := [name for name in NEEDED if name not in tensors]:
            raise ValueError(f"the graph has no {missing[0]}")
        flags = {name: value for name, value in kwargs.items() if isinstance(value, bool)}
        counts = {"structures": len(tensors["ptr"]) - 1, "atoms": len(rows), "edges": tensors["edge_index"].shape[1]}
        return Call(step=step, **counts, flags=flags), tensors


def block_inputs(path: str, module: torch.nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> list[BlockInput]:
    """Figures of a block's floating-point arguments: neither the order of rows nor the layout of components changes them."""
    tensors: dict[str, torch.Tensor] = {}
    for key, value in named(forward_signature(module), args, dict(kwargs))[0].items():
        try:
            flatten(value, key, tensors)
        except TypeError:  # no tensor, nor anything that holds some
            continue
    return [
        BlockInput(block=path, argument=name, dtype=str(t.dtype).removeprefix("torch."), numbers=t.numel(), **_figures(t.detach()))
        for name, t in tensors.items() if t.is_floating_point() and t.numel()
    ]  # fmt: skip


def _figures(tensor: torch.Tensor) -> dict[str, float | None]:
    wide = tensor.double()
    figures = torch.stack([wide.square().mean().sqrt(), wide.abs().max()]).tolist()
    return {name: value if math.isfinite(value) else None for name, value in zip(("rms", "largest"), figures, strict=True)}
