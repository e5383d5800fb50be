"""The reference backend: upstream's own e3nn modules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch

from mpcheck._names import REFERENCE_BACKEND
from mpcheck.adapters.backends.base import BackendBase, BackendModelBase
from mpcheck.adapters.backends.protocol import Native
from mpcheck.adapters.blocks import Block
from mpcheck.adapters.calls import called
from mpcheck.adapters.construction import small_model


class E3nnModel(BackendModelBase):
    """A float64 e3nn model on a device."""

    def __init__(self, model: torch.nn.Module, device: torch.device) -> None:
        placed = model.to(device)
        super().__init__(REFERENCE_BACKEND, placed, placed, device)

    def call(self, block: Block, arguments: Mapping[str, Any]) -> Any:
        """Run the block; nothing is converted."""
        return called(self.callable(block), arguments, block.positional)

    def native(self, block: Block, arguments: Mapping[str, Any]) -> Native:
        """As :meth:`call`."""
        return (lambda **named: self.call(block, named), (), dict(arguments))


class E3nnBackend(BackendBase):
    """Registers ``e3nn``."""

    name = REFERENCE_BACKEND

    def build(self, model: torch.nn.Module, device: torch.device) -> E3nnModel:
        """The model itself."""
        return E3nnModel(model, device)

    def construction(self) -> tuple[Callable[[], torch.nn.Module], str]:
        """Upstream's constructor."""
        return small_model, "building a model"


BACKEND = E3nnBackend()
