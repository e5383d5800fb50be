"""A third party's backend: every block that carries irreps is a kernel of its own package, and keeps its tensors in ir_mul."""

from __future__ import annotations

import copy
import importlib.metadata
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from mpcheck.adapters.backends import protocol
from mpcheck.adapters.backends.base import BackendBase, BackendModelBase, PlainConverter
from mpcheck.adapters.backends.converter import StateComparison, compared, gathered
from mpcheck.adapters.backends.mixed import Convention, Guest
from mpcheck.adapters.blocks import Block, module_blocks
from mpcheck.adapters.calls import argument_names
from mpcheck.formats import Format

KERNELS = "toy-kernels"
INNER = "inner."  # what the names of its parameters have besides


class Kernel(Guest):
    """Takes and gives ir_mul; inside is e3nn's module."""


Kernel.__module__ = "toykernels.linear"


def leaves(model: torch.nn.Module) -> list[Block]:
    """Blocks that become kernels."""
    return [b for b in module_blocks(model) if b.kind == "leaf" and {**b.inputs, **b.outputs}]


def put(model: torch.nn.Module, path: str, module: torch.nn.Module) -> None:
    owner, _, name = path.rpartition(".")
    setattr(model.get_submodule(owner), name, module)


def to_toy(source: torch.nn.Module) -> torch.nn.Module:
    twin = copy.deepcopy(source)
    for block in leaves(source):
        module = twin.get_submodule(block.name)
        put(twin, block.name, Kernel(module, block, argument_names(module), Convention("ir_mul", False), Convention("mul_ir", False), 0, True))
    return twin


def from_toy(twin: torch.nn.Module) -> torch.nn.Module:
    model = copy.deepcopy(twin)
    for path, module in list(model.named_modules()):
        if isinstance(module, Kernel):
            put(model, path, module.inner)
    return model


class ToyModel(BackendModelBase):
    packages = ("toykernels",)

    def reference_gradients(self, block: Block, gradients: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return {n.replace(INNER, ""): g for n, g in gradients.items()}

    def substitute(self, block: Block) -> str:
        own = block.kind == "leaf" and bool({**block.inputs, **block.outputs})
        return "it is no kernel of toykernels" if own and not isinstance(self.module(block), Kernel) else ""

    def lacking(self, block: Block) -> str:
        return KERNELS if isinstance(self.module(block), Kernel) else ""

    def note(self, block: Block, fmt: Format) -> str:
        return ", ".join(filter(None, ["toy", super().note(block, fmt)]))


class ToyConverter(PlainConverter):
    def parameters(self, source: torch.nn.Module, twin: torch.nn.Module) -> StateComparison:
        wanted = dict(source.named_parameters())
        got = {n.replace(INNER, ""): p for n, p in twin.named_parameters()}
        return compared(gathered(set(wanted), set(got), "lost"), {n: (got[n], w) for n, w in wanted.items() if n in got}, {})


class Toy(BackendBase):
    capabilities: Mapping[str, str] = {KERNELS: "toykernels ran in plain torch"}

    def __init__(self, name: str = "toy") -> None:
        self.name = name
        self.converter = ToyConverter(self, from_toy)

    def build(self, model: torch.nn.Module, device: torch.device) -> ToyModel:
        return ToyModel(self.name, model, to_toy(model), device, "ir_mul")


BACKEND: Any = Toy()


def register(patch: pytest.MonkeyPatch, name: str, loaded: Any) -> None:
    """An installed distribution with an entry point."""

    def points(group: str) -> list[Any]:
        return [*importlib.metadata.entry_points(group=group), SimpleNamespace(name=name, value=f"somebodys.{name}:BACKEND", load=lambda: loaded)]

    patch.setattr(protocol, "entry_points", points)
    protocol.installed.cache_clear()
