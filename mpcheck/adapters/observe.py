"""Watch one forward and backward pass of a model: the arguments of every block, and the cotangents of its outputs."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import torch

from mpcheck.adapters.blocks import Block, composite_modules, describe, leaf_modules, message_slot
from mpcheck.adapters.calls import forward_signature, named
from mpcheck.adapters.slots import PLAIN
from mpcheck.adapters.steps import recorded, step_block
from mpcheck.adapters.tree import flatten


class Sink(Protocol):
    """Takes what is observed, as it is observed, so that nothing is held in memory for long."""

    def inputs(self, block: Block, skeleton: Any, tensors: dict[str, torch.Tensor]) -> None:
        """Arguments of one call of a block."""

    def refused(self, block: Block, reason: str) -> None:
        """A call whose arguments cannot be stored."""

    def output(self, block: str, output: str, value: torch.Tensor) -> None:
        """One floating-point output of a block."""

    def cotangent(self, block: str, output: str, value: torch.Tensor) -> None:
        """Derivative of the total energy with respect to one output of a block."""


@dataclass
class Arguments:
    """A sink in memory: what every block of a model saw in one forward pass.

    Attributes:
        blocks: by name, the block, the skeleton of its arguments, and their tensors.
        refusals: by name, calls that cannot be repeated, and why.
    """

    blocks: dict[str, tuple[Block, Any, dict[str, torch.Tensor]]] = field(default_factory=dict)
    refusals: dict[str, tuple[Block, str]] = field(default_factory=dict)

    def inputs(self, block: Block, skeleton: Any, tensors: dict[str, torch.Tensor]) -> None:
        """Arguments of one call; copies, because upstream writes into some."""
        self.blocks[block.name] = (block, skeleton, {n: t.detach().clone() for n, t in tensors.items()})

    def refused(self, block: Block, reason: str) -> None:
        """A call that cannot be repeated."""
        self.refusals[block.name] = (block, reason)

    def output(self, block: str, output: str, value: torch.Tensor) -> None:
        """Not kept."""

    def cotangent(self, block: str, output: str, value: torch.Tensor) -> None:
        """Not kept."""


class Observer:
    """Hooks for one pass. Names repeated calls ``NAME@2``, ``NAME@3`` …

    What a sink calls while it takes arguments is not watched.
    """

    def __init__(self, model: torch.nn.Module, sink: Sink) -> None:
        self.model = model
        self.sink = sink
        self.calls: dict[str, int] = {}
        self.stack: list[tuple[str, str]] = []  # (path, name of the call)
        self.leaves = {path for path, _ in leaf_modules(model)}
        self.paused = False

    def _name(self, path: str) -> str:
        self.calls[path] = self.calls.get(path, 0) + 1
        return path if self.calls[path] == 1 else f"{path}@{self.calls[path]}"

    def _offer(self, block: Block, arguments: dict[str, Any]) -> None:
        tensors: dict[str, torch.Tensor] = {}
        try:
            skeleton = {key: flatten(value, key, tensors) for key, value in arguments.items()}
        except TypeError as error:
            self.sink.refused(block, str(error))
            return
        self.paused = True
        try:
            self.sink.inputs(block, skeleton, tensors)
        finally:
            self.paused = False

    def _watch_outputs(self, name: str, output: Any) -> None:
        tensors: dict[str, torch.Tensor] = {}
        with contextlib.suppress(TypeError):
            flatten(output, "out", tensors)
        for key, value in tensors.items():
            if value.is_floating_point():
                self.sink.output(name, key, value)
            if value.requires_grad:
                value.register_hook(lambda grad, key=key: self.sink.cotangent(name, key, grad))

    def _pre(self, path: str, module: torch.nn.Module, signature: inspect.Signature, args: Any, kwargs: Any) -> None:
        if self.paused:
            return
        name = self._name(path)
        self.stack.append((path, name))
        block = describe(name, module, "leaf" if path in self.leaves else "composite")
        arguments, positional = named(signature, args, kwargs)
        self._offer(replace(block, positional=positional), arguments)

    def _post(self, output: Any) -> None:
        if self.paused:
            return
        _, name = self.stack.pop()
        self._watch_outputs(name, output)

    def _step(self, kind: str, arguments: dict[str, Any], call: Callable[[], Any]) -> Any:
        path = self.stack[-1][0] if self.stack else ""
        if self.paused or path in self.leaves or ("dim_size" not in arguments and kind != "edge_vectors"):
            return call()
        name = self._name(f"{path}.{kind}" if path else kind)
        message = message_slot(self.model.get_submodule(path)) if kind == "scatter" else PLAIN
        source = arguments.get("src")
        if message.irreps is not None and (source is None or not message.groups(tuple(source.shape))[0][0]):
            message = PLAIN
        self._offer(step_block(name, message), arguments)
        output = call()
        self._watch_outputs(name, output)
        return output

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Hooks on, and off again."""
        handles = []
        modules = [*leaf_modules(self.model), *composite_modules(self.model)]
        try:
            for path, module in modules:
                signature = forward_signature(module)

                def pre(m: torch.nn.Module, args: Any, kwargs: Any, path: str = path, s: inspect.Signature = signature) -> None:
                    self._pre(path, m, s, args, kwargs)

                handles.append(module.register_forward_pre_hook(pre, with_kwargs=True))
                handles.append(module.register_forward_hook(lambda m, args, output: self._post(output)))
            with recorded(self._step):
                yield
        finally:
            for handle in handles:
                handle.remove()
