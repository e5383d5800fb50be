"""What most backends share: derive from these, and say only what is different.

A :class:`BackendModelBase` computes as torch does, by the submodules of one model, which need not keep its tensors in e3nn's layout. What a
backend can say besides of itself (kernels that may be missing, an inner type, another parametrisation) it says by overriding the method.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Mapping
from typing import Any

import torch

from mpcheck._cuda import CUDA
from mpcheck._unsupported import Unsupported, no_device
from mpcheck.adapters.backends.casting import replaced, to_dtype
from mpcheck.adapters.backends.converter import Converted, Converter, StateComparison, complaints, logged, same_parameters, same_state
from mpcheck.adapters.backends.design import covering
from mpcheck.adapters.backends.engagement import package_of
from mpcheck.adapters.backends.layout import Layout, convert
from mpcheck.adapters.backends.protocol import Backend, BackendModel, Native
from mpcheck.adapters.blocks import WHOLE, Block
from mpcheck.adapters.calls import argument_names
from mpcheck.adapters.construction import small_model
from mpcheck.adapters.slots import Slot
from mpcheck.adapters.steps import FUNCTIONS, step_kind
from mpcheck.adapters.upstream import default_dtype
from mpcheck.formats import Component, Format


class BackendModelBase(BackendModel):
    """A float64 model of which every block is a submodule, called by e3nn's names or in their order.

    Attributes:
        model: what computes. source: the e3nn model that it was made from; itself where that computes.
    """

    def __init__(self, name: str, source: torch.nn.Module, model: torch.nn.Module, device: torch.device, layout: Layout = "mul_ir") -> None:
        self.name = name
        self.source = source
        self.model = model
        self.device = device
        self.layout: Layout = layout
        self._engaged = not self.packages or self._computed_by(model)

    packages: tuple[str, ...] = ()
    differs = True

    def _computed_by(self, module: torch.nn.Module | None) -> bool:
        """Whether something of the backend's own packages is at or below a module."""
        return module is not None and any(package_of(m) in self.packages for m in module.modules())

    def unsupported(self, block: Block, fmt: Format) -> Unsupported | None:
        """Every block runs in every format."""
        return None

    def module(self, block: Block) -> torch.nn.Module | None:
        """The submodule; None for steps."""
        return None if block.kind == "step" else self.model.get_submodule(block.module_path)

    def callable(self, block: Block) -> Callable[..., Any]:
        """The module, or the step's function."""
        module = self.module(block)
        return FUNCTIONS[step_kind(block.name)] if module is None else module

    def prepared(self, block: Block, fmt: Format) -> contextlib.AbstractContextManager[None]:
        """Cast as a user's ``model.to(dtype)`` does."""
        return replaced(self.module(block), to_dtype(fmt.storage))

    def here(self, block: Block) -> Block:
        """Irreps are cut as in e3nn."""
        return block

    def call(self, block: Block, arguments: Mapping[str, Any]) -> Any:
        """Convert arguments to the backend's layout, run the block, convert its results back; differentiably."""
        function, positional, named = self.native(block, arguments)
        return self._back(function(*positional, **named), self.here(block), "out")

    def native(self, block: Block, arguments: Mapping[str, Any]) -> Native:
        """The block's own function and its arguments in the backend's layout; results stay in that layout."""
        function = self.callable(block)
        if self.indexed(block):
            return function, (arguments["x"].transpose(1, 2).flatten(1), arguments["y"].argmax(dim=-1).int()), {}
        own = self.here(block)
        converted = {k: self._there(v, own.input_slot(k)) for k, v in arguments.items()}
        # a backend's own classes may name their arguments otherwise
        positional = isinstance(function, torch.nn.Module) and not set(converted) <= set(argument_names(function))
        first = set(converted) if positional else set(block.positional)
        return function, tuple(v for n, v in converted.items() if n in first), {n: v for n, v in converted.items() if n not in first}

    def _there(self, value: Any, slot: Slot) -> Any:
        return convert(value, slot, "mul_ir", self.layout) if isinstance(value, torch.Tensor) else value

    def _back(self, value: Any, block: Block, path: str) -> Any:
        if isinstance(value, torch.Tensor):
            return convert(value, block.output_slot(path), self.layout, "mul_ir")
        if isinstance(value, (tuple, list)):
            return tuple(self._back(v, block, f"{path}.{i}") for i, v in enumerate(value))
        return value

    def indexed(self, block: Block) -> bool:
        """It is called as e3nn's."""
        return False

    def without_gradient(self, block: Block, argument: str) -> bool:
        """Gradients flow as in e3nn."""
        return False

    def parameters(self, block: Block) -> dict[str, torch.nn.Parameter]:
        """Trainable parameters under the module's names."""
        module = self.module(block)
        return {} if module is None else {n: p for n, p in module.named_parameters() if p.requires_grad}

    def reference_gradients(self, block: Block, gradients: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """The parametrisation is e3nn's."""
        return dict(gradients)

    def roundoff(self, block: Block, fmt: Format) -> dict[Component, float]:
        """As torch rounds on the device; where the backend's own packages compute, in another order, and with factors of their own."""
        if self._computed_by(self.module(block)):
            return fmt.rearranged(self.device.type, native_sums=False, rescaled=True)
        return fmt.on(self.device.type)

    def note(self, block: Block, fmt: Format) -> str:
        """A format that the device lacks is emulated, and says so."""
        return f"{fmt.name} emulated on CPU" if fmt.emulated(self.device.type) else ""

    def math_types(self, block: Block) -> set[torch.dtype]:
        """It computes in the types of its tensors."""
        return set()

    def pinned(self, block: Block) -> list[torch.Tensor]:
        """Every tensor is cast with the block."""
        return []

    def substitute(self, block: Block) -> str:
        """It is taken at its word, unless nothing in all of its model is of the packages that it computes by."""
        return "" if self._engaged else f"no module of the model is of {' or '.join(self.packages)}: {self.name} computes nothing"

    def lacking(self, block: Block) -> str:
        """Nothing is missing."""
        return ""

    def rounds_otherwise(self, block: Block, fmt: Format) -> bool:
        """Sound code may give e3nn's very bits."""
        return False

    def around(self, model: torch.nn.Module) -> BackendModelBase:
        """A shallow copy that computes with another model."""
        twin = copy.copy(self)
        twin.model = model
        return twin


class BackendBase(Backend):
    """A backend that needs no package of its own, has nothing that can be missing and cannot be converted back."""

    capabilities: Mapping[str, str] = {}
    converter: Converter | None = None

    def unavailable(self, device: str) -> Unsupported | None:
        """Missing only where the device is."""
        return no_device() if device.startswith("cuda") and not CUDA.is_available() else None

    def construction(self) -> tuple[Callable[[], torch.nn.Module], str]:
        """A small float64 model through :meth:`build`."""
        with default_dtype(torch.float64):
            source = small_model()

        def convert_small() -> torch.nn.Module:
            return self.build(source, torch.device("cpu")).module(WHOLE) or source

        return convert_small, "converting a float64 model"


class PlainConverter(Converter):
    """The conversion of a backend that keeps e3nn's names and parametrisation: every number must come back, within rounding."""

    package = ""

    def __init__(self, backend: Backend, back: Callable[[torch.nn.Module], torch.nn.Module]) -> None:
        """Args:
        backend: its :meth:`build` is the way there. back: makes an e3nn model of a twin.
        """
        self._backend, self._to_e3nn = backend, back
        self.configurations = covering(backend.name)

    def there(self, model: torch.nn.Module, device: torch.device) -> Converted:
        """The backend's model, whatever :meth:`build` raises."""
        with logged() as records:
            twin = self._backend.build(model, device).module(WHOLE)
        if twin is None:
            raise NotImplementedError(f"{self._backend.name} has no whole model")
        return Converted(twin, complaints(records))

    def back(self, twin: torch.nn.Module, device: torch.device) -> Converted:
        """By the function that was given."""
        with logged() as records:
            model = self._to_e3nn(twin).to(device)
        return Converted(model, complaints(records))

    def wrapped(self, source: torch.nn.Module, twin: torch.nn.Module, device: torch.device) -> BackendModel:
        """The backend's model around the twin."""
        return self._backend.build(source, device).around(twin)

    def round_trip(self, source: torch.nn.Module, returned: torch.nn.Module) -> StateComparison:
        """Within rounding."""
        return same_state(source, returned)

    def parameters(self, source: torch.nn.Module, twin: torch.nn.Module) -> StateComparison:
        """Within rounding."""
        return same_parameters(source, twin)
