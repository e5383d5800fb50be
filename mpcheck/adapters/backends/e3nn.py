"""The reference backend: upstream's own e3nn modules."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch

from mpcheck._unsupported import Unsupported, no_device
from mpcheck.adapters.backends.casting import replaced, to_dtype
from mpcheck.adapters.blocks import Block
from mpcheck.adapters.steps import FUNCTIONS, step_kind
from mpcheck.formats import Component, Format


class E3nnModel:
    """A float64 e3nn model on a device."""

    name = "e3nn"

    def __init__(self, model: torch.nn.Module, device: torch.device) -> None:
        self.model = model.to(device)
        self.device = device

    def unsupported(self, block: Block, fmt: Format) -> Unsupported | None:
        """Every block runs in every format."""
        return None

    def module(self, block: Block) -> torch.nn.Module | None:
        """The submodule; None for steps."""
        return None if block.kind == "step" else self.model.get_submodule(block.module_path)

    @contextlib.contextmanager
    def prepared(self, block: Block, fmt: Format) -> Iterator[None]:
        """Cast as a user's ``model.to(dtype)`` does."""
        with replaced(self.module(block), to_dtype(fmt.storage)):
            yield

    def callable(self, block: Block) -> Callable[..., Any]:
        """The module, or the step's function."""
        module = self.module(block)
        return FUNCTIONS[step_kind(block.name)] if module is None else module

    def call(self, block: Block, arguments: Mapping[str, Any]) -> Any:
        """Run the block."""
        return self.callable(block)(**arguments)

    def parameters(self, block: Block) -> dict[str, torch.nn.Parameter]:
        """Trainable parameters under their own names."""
        module = self.module(block)
        return {} if module is None else {n: p for n, p in module.named_parameters() if p.requires_grad}

    def reference_gradients(self, block: Block, gradients: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """The reference's parametrisation is its own."""
        return dict(gradients)

    def roundoff(self, block: Block, fmt: Format) -> dict[Component, float]:
        """As torch rounds on the device."""
        return fmt.on(self.device.type)

    def note(self, block: Block, fmt: Format) -> str:
        """tf32 on a CPU is emulated, and says so."""
        return f"{fmt.name} emulated on CPU" if fmt.emulated(self.device.type) else ""


class E3nnBackend:
    """Registers ``e3nn``."""

    name = "e3nn"

    def unavailable(self, device: str) -> Unsupported | None:
        """Missing only where the device is."""
        return no_device() if device.startswith("cuda") and not torch.cuda.is_available() else None

    def build(self, model: torch.nn.Module, device: torch.device) -> E3nnModel:
        """The model itself."""
        return E3nnModel(model, device)


BACKEND = E3nnBackend()
