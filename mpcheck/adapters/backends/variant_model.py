"""One model on one backend in a variant: see :mod:`mpcheck.adapters.backends.variants`."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Mapping
from typing import Any

import torch

from mpcheck._raised import Raised, attempt
from mpcheck._unsupported import Unsupported
from mpcheck._variants import CUDAGRAPH, SCRIPT, STRICT
from mpcheck.adapters.backends.mixed import substituted
from mpcheck.adapters.backends.protocol import BackendModel, Native
from mpcheck.adapters.backends.protocol import unsupported as base_unsupported
from mpcheck.adapters.blocks import WHOLE, Block
from mpcheck.adapters.compiler import INDUCTOR, Compiler, strict_settings
from mpcheck.adapters.compiling import Compiled, compiled_block
from mpcheck.adapters.scripting import ScriptedWhole, eager, scripted
from mpcheck.formats import Component, Format


class VariantModel(BackendModel):
    """A base's model whose modules run in a variant, one at a time.

    Attributes:
        base: the backend's model. variant: its name. compiler: torch's, by name.
    """

    packages: tuple[str, ...] = ()
    differs = False
    compiler = INDUCTOR

    def __init__(self, name: str, variant: str, base: BackendModel, whole: bool = True) -> None:
        """Args:
        whole: what is compiled is one graph, or an error.
        """
        self.name, self.variant, self.base = name, variant, base
        self.device, self.source, self.layout = base.device, base.source, base.layout
        self._whole = whole
        self._made: dict[tuple[str, str], BackendModel | Raised] = {}
        self._compilers: dict[tuple[str, str], Compiler] = {}
        self._instead: dict[str, str] = {}

    @property
    def model(self) -> torch.nn.Module:
        """The float64 model, which nothing has compiled."""
        model = self.base.module(WHOLE)
        assert model is not None  # see where it is made
        return model

    @property
    def compiles(self) -> bool:
        """Whether it is ``torch.compile``'s."""
        return self.variant not in (SCRIPT, CUDAGRAPH)

    def running(self, model: torch.nn.Module) -> torch.nn.Module:
        """A whole model in the variant, called as upstream's; ``instead`` of it says after a call what computed in its place.

        Args:
            model: the base's, cast; it may not be used any more.

        Raises:
            BaseException: whatever torch or upstream raises where it cannot be made so.
        """
        for parameter in model.parameters():  # as in MACE's calculator
            parameter.requires_grad_(False)
        return ScriptedWhole(model) if self.variant == SCRIPT else Compiled(model, self._whole, backend=self._compiler())

    def _compiler(self) -> Compiler:
        settings = strict_settings() if self.variant == STRICT else {}
        assert not isinstance(settings, Unsupported)  # it is unavailable then
        return Compiler(self.compiler, settings if self.compiler == INDUCTOR else {})

    def unsupported(self, block: Block, fmt: Format) -> Unsupported | None:
        """What is no module, and where the variant would not be what runs."""
        if why := base_unsupported(self.base, block, fmt):
            return why
        if fmt.emulated(self.device.type):
            return Unsupported("not-applicable", f"{fmt.name} is emulated on a {self.device.type}, operation by operation: compiled code has none")
        if block.name == WHOLE.name:
            return None
        if self.variant == CUDAGRAPH:
            return Unsupported("not-applicable", "a graph holds a call of the whole model, in which blocks are the backend's own")
        if block.kind == "step":
            return Unsupported("not-applicable", "no module that could be compiled apart: judged in the whole model")
        if self.compiles and block.kind == "composite":
            return Unsupported("not-applicable", "compiled with the whole model, and its leaf blocks apart")
        if self.compiles:  # a new run begins
            self._instead.pop(block.module_path, None)
        made = self._twin(block, fmt)
        return Unsupported("no-operation", f"cannot be made: {made.text}", self.name) if isinstance(made, Raised) else None

    def _twin(self, block: Block, fmt: Format | None = None) -> BackendModel | Raised:
        """The base with a block in the variant; of a compiled one, the last that was asked for by format where none is given."""
        last = next((k for k in reversed(self._made) if k[0] == block.module_path), (block.module_path, ""))
        key = last if fmt is None else (block.module_path, fmt.name if self.compiles else "")
        if key not in self._made:
            self._made[key] = attempt(lambda: self._with(key, block))
        elif fmt is not None:
            self._made[key] = self._made.pop(key)
        return self._made[key]

    def _with(self, key: tuple[str, str], block: Block) -> BackendModel:
        module = self.base.module(block)
        assert module is not None  # steps are unsupported
        if self.variant == SCRIPT:
            made = scripted(module)
            self._instead[block.module_path] = eager(made)
        else:
            compiler = self._compilers[key] = self._compiler()
            made = _called_by(module, compiled_block(module, compiler, self._whole, functools.partial(self._tell, block.module_path)))
        return self.base.around(substituted(self.model, block.module_path, made))

    def _tell(self, block: str, instead: str) -> None:
        if instead:
            self._instead[block] = instead

    def _own(self, block: Block, fmt: Format | None = None) -> BackendModel:
        """What computes a block here: the base itself, of what does not run in the variant."""
        if block.kind == "step" or block.name == WHOLE.name or self.variant == CUDAGRAPH:
            return self.base
        made = self._twin(block, fmt)
        return self.base if isinstance(made, Raised) else made

    def prepared(self, block: Block, fmt: Format) -> contextlib.AbstractContextManager[None]:
        """As the base prepares its own."""
        return self._own(block, fmt).prepared(block, fmt)

    def here(self, block: Block) -> Block:
        """As the base."""
        return self.base.here(block)

    def call(self, block: Block, arguments: Mapping[str, Any]) -> Any:
        """As the base calls its own."""
        return self._own(block).call(block, arguments)

    def native(self, block: Block, arguments: Mapping[str, Any]) -> Native:
        """As the base."""
        return self._own(block).native(block, arguments)

    def module(self, block: Block) -> torch.nn.Module | None:
        """What runs in the variant."""
        return self._own(block).module(block)

    def parameters(self, block: Block) -> dict[str, torch.nn.Parameter]:
        """Of what runs in the variant."""
        return self._own(block).parameters(block)

    def reference_gradients(self, block: Block, gradients: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """The base's parametrisation."""
        return self.base.reference_gradients(block, gradients)

    def without_gradient(self, block: Block, argument: str) -> bool:
        """As the base."""
        return self.base.without_gradient(block, argument)

    def roundoff(self, block: Block, fmt: Format) -> dict[Component, float]:
        """TorchScript runs the base's operations. Compiled code has others: it fuses and reorders them, and what is an operand differs."""
        own = self.base.roundoff(block, fmt)
        if not self.compiles:
            return own
        other = fmt.rearranged(self.device.type, native_sums=False)
        return {component: max(u, other[component]) for component, u in own.items()}

    def rounds_otherwise(self, block: Block, fmt: Format) -> bool:
        """As the base: compiled code may give the very bits of code that is not."""
        return self.base.rounds_otherwise(block, fmt)

    def math_types(self, block: Block) -> set[torch.dtype]:
        """Of the base's own module."""
        return self.base.math_types(block)

    def pinned(self, block: Block) -> list[torch.Tensor]:
        """Of what runs in the variant."""
        return self._own(block).pinned(block)

    def note(self, block: Block, fmt: Format) -> str:
        """What was compiled, after what the base says."""
        compiler = self._compilers.get((block.module_path, fmt.name))
        return ", ".join(filter(None, (self.base.note(block, fmt), compiler.note if compiler is not None else "")))

    def substitute(self, block: Block) -> str:
        """The base's own, or that a call since the last question about a format ran none of what was compiled."""
        return self.base.substitute(block) or self._instead.get(block.module_path, "")

    def lacking(self, block: Block) -> str:
        """As the base."""
        return self.base.lacking(block)

    def indexed(self, block: Block) -> bool:
        """As the base."""
        return self.base.indexed(block)

    def around(self, model: torch.nn.Module) -> VariantModel:
        """The same variant of another whole model."""
        return VariantModel(self.name, self.variant, self.base.around(model), self._whole)


def _called_by(module: torch.nn.Module, call: Callable[..., Any]) -> torch.nn.Module:
    """A module that shares everything with another, and is called by another function: names and types of its tensors stay the module's."""
    made: torch.nn.Module = object.__new__(type(module))
    made.__dict__.update(module.__dict__)
    made.__dict__["forward"] = functools.wraps(module.forward)(call)
    return made
