"""A model whose blocks come from different backends, with or without the layout conversions between them.

The mixed model shares every parameter and every untouched module with its parts: only the containers on the way to a
swapped block are copied, so that mixing costs nothing and changes neither part.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from mpcheck._errors import InputError
from mpcheck._names import ACCELERATED_BACKEND
from mpcheck._unsupported import Unsupported
from mpcheck._variants import PLUS, is_variant
from mpcheck.adapters.backends.base import BackendModelBase
from mpcheck.adapters.backends.layout import Layout, convert, differing
from mpcheck.adapters.backends.protocol import BackendModel, Native, backends, get_backend
from mpcheck.adapters.backends.protocol import built as build
from mpcheck.adapters.blocks import WHOLE, Block, module_blocks
from mpcheck.adapters.calls import argument_names, called
from mpcheck.adapters.slots import Slot
from mpcheck.formats import FLOAT64, Component, Format


@dataclass(frozen=True)
class Convention:
    """What a backend expects at the boundary of a block.

    Attributes:
        layout: of irreps tensors.
        block: with the parts into which the backend cuts its irreps; None where as e3nn's.
        indexed: a symmetric contraction takes ``[rows, dim * mul]`` in ir_mul and element indices (cuEquivariance), not
            ``[rows, mul, dim]`` and one-hot elements (e3nn).
    """

    layout: Layout
    indexed: bool
    block: Block | None = None

    @classmethod
    def of(cls, backend: BackendModel, block: Block) -> Convention:
        """Of a backend's model at a block."""
        return cls(backend.layout, backend.indexed(block), backend.here(block))


class Guest(torch.nn.Module):
    """A block of one backend in the place of another's: called as the host calls, answers as the host expects.

    Without adapters it hands tensors through as they are, which is what swapping modules by hand does.
    """

    def __init__(
        self, inner: torch.nn.Module, block: Block, names: list[str], host: Convention, guest: Convention, elements: int, adapters: bool
    ) -> None:
        """Args:
        inner: the guest's module. block: what it is, with its slots. names: of its arguments, in e3nn's order.
        elements: length of the one-hot element vectors that a contraction takes.
        """
        super().__init__()
        self.inner = inner
        self.block, self.names, self.elements = block, names, elements
        self.host, self.guest, self.adapters = host, guest, adapters

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The block, in the host's calling convention."""
        positional = self.names[: len(args)]
        given = {**dict(zip(self.names, args, strict=False)), **kwargs}
        if self.adapters:
            contraction = self.block.class_name == "SymmetricContraction"
            given = self._contraction(given) if contraction else {k: self._input(v, k) for k, v in given.items()}
        by_name = set(given) <= set(argument_names(self.inner))
        by_position = positional if by_name else set(given)
        result = called(self.inner, {n: given[n] for n in (*self.names, *given) if n in given}, by_position)
        return self._output(result, "out") if self.adapters else result

    def _input(self, value: Any, name: str) -> Any:
        return self._convert(value, self.host, self.guest, lambda block: block.input_slot(name)) if isinstance(value, torch.Tensor) else value

    def _convert(self, value: torch.Tensor, source: Convention, target: Convention, slot: Callable[[Block], Slot]) -> torch.Tensor:
        """By way of mul_ir, where the parts do not show."""
        own, other = slot(source.block or self.block), slot(target.block or self.block)
        if source.layout == target.layout and own == other:
            return value
        return convert(convert(value, own, source.layout, "mul_ir"), other, "mul_ir", target.layout)

    def _contraction(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """From the host's way of calling a symmetric contraction to e3nn's, and from that to the guest's."""
        x, y, slot = given["x"], given["y"], self.block.input_slot("x")
        if self.host.indexed and self.guest.indexed:
            return dict(given)
        if self.host.indexed:  # [rows, dim * mul] -> [rows, mul, dim], index -> one-hot
            dim = sum(2 * int(term.strip()[:-1].rpartition("x")[2]) + 1 for term in (slot.irreps or "").split("+"))
            one_hot = torch.nn.functional.one_hot(y.long(), self.elements).to(x.dtype)
            x, y = x.reshape(x.shape[0], dim, -1).transpose(1, 2), one_hot
        else:
            x = convert(x, slot, self.host.layout, "mul_ir")
        if self.guest.indexed:
            return {"x": x.transpose(1, 2).flatten(1), "y": y.argmax(dim=-1).int()}
        return {"x": convert(x, slot, "mul_ir", self.guest.layout), "y": y}

    def _output(self, value: Any, path: str) -> Any:
        if isinstance(value, torch.Tensor):
            return self._convert(value, self.guest, self.host, lambda block: block.output_slot(path))
        if isinstance(value, tuple):
            return tuple(self._output(v, f"{path}.{i}") for i, v in enumerate(value))
        return value

    def __getattr__(self, name: str) -> Any:
        """What the host reads from its own block (irreps, numbers) the guest has too."""
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("inner"), name)


def substituted(root: torch.nn.Module, path: str, module: torch.nn.Module) -> torch.nn.Module:
    """A copy of ``root`` with another module at ``path``; everything else is shared with it."""
    head, _, rest = path.partition(".")
    twin = copy.copy(root)
    twin.__dict__["_modules"] = dict(root._modules)
    child = twin._modules[head]
    assert child is not None  # the path names a module
    twin._modules[head] = substituted(child, rest, module) if rest else module
    return twin


def at_boundary(block: Block, host: BackendModel, guest: BackendModel) -> Block:
    """A block with the parts of the side that lies in ir_mul: they tell where the two sides differ."""
    return (host if host.layout == "ir_mul" else guest).here(block)


def mismatches(block: Block, host: Layout, guest: Layout) -> list[str]:
    """Tensors at a block's boundary whose layout a swap changes, by name and irreps."""
    if host == guest:
        return []
    slots = {**block.inputs, **block.outputs}
    return [f"{name} ({slot.irreps})" for name, slot in slots.items() if differing(slot)]


def whole(backend: BackendModel) -> torch.nn.Module:
    """A backend's whole model.

    Raises:
        InputError: it has none.
    """
    if (module := backend.module(WHOLE)) is None:
        raise InputError(f"backend {backend.name} has no whole model that blocks could be swapped in")
    return module


class MixedModel(BackendModelBase):
    """A backend's model with some blocks of others; itself a :class:`~mpcheck.adapters.backends.protocol.BackendModel`.

    Blocks are called, like every backend's, in e3nn's names and layout; what happens between the host's layout and a
    swapped block is what :class:`Guest` does.
    """

    def __init__(self, base: BackendModel, donors: Mapping[str, BackendModel], swaps: Mapping[str, str], adapters: bool = True) -> None:
        """Args:
        base: built model whose other blocks stay.
        donors: built models by backend name, all of the same source model on the same device.
        swaps: backend by block name.

        Raises:
            InputError: no such block, or one that cannot be taken out of its backend.
        """
        self.swaps, self.donors = dict(swaps), dict(donors)
        module, source = whole(base), base.source
        blocks = {b.name: b for b in module_blocks(source)}
        for name, donor in swaps.items():
            if name not in blocks:
                raise InputError(f"no block {name!r} that a backend could swap; there are {', '.join(sorted(blocks))}")
            module = substituted(module, name, self._guest(base, donors[donor], source, blocks[name], adapters))
        super().__init__(base.name, source, module, base.device, base.layout)
        self._host = base.around(module)

    @staticmethod
    def _guest(base: BackendModel, donor: BackendModel, source: torch.nn.Module, block: Block, adapters: bool) -> Guest:
        for side in (base, donor):
            reason = side.unsupported(block, FLOAT64)
            if reason:
                raise InputError(f"{block.name} cannot be swapped: in {side.name} it is {reason}")
        own, other = base.module(block), donor.module(block)
        assert own is not None and other is not None  # a step is no module block
        contraction = block.class_name == "SymmetricContraction"
        sides = Convention.of(base, block), Convention.of(donor, block)
        reference = source.get_submodule(block.name)
        elements = int(next(iter(reference.parameters())).shape[0]) if contraction else 0
        return Guest(other, block, argument_names(reference), sides[0], sides[1], elements, adapters)

    def unsupported(self, block: Block, fmt: Format) -> Unsupported | None:
        """As the base."""
        return self._host.unsupported(block, fmt)

    def prepared(self, block: Block, fmt: Format) -> contextlib.AbstractContextManager[None]:
        """As the base; a guest's module is prepared by its own backend."""
        return self._owner(block).prepared(block, fmt)

    def _owner(self, block: Block) -> BackendModel:
        return self.donors[self.swaps[block.name]] if block.name in self.swaps else self._host

    def here(self, block: Block) -> Block:
        """As the base: a guest answers as the host expects."""
        return self._host.here(block)

    def call(self, block: Block, arguments: Mapping[str, Any]) -> Any:
        """Run a block as the base would."""
        return self._host.call(block, arguments)

    def native(self, block: Block, arguments: Mapping[str, Any]) -> Native:
        """As the base would."""
        return self._host.native(block, arguments)

    def module(self, block: Block) -> torch.nn.Module | None:
        """The base's submodule, or the guest."""
        return self._host.module(block)

    def indexed(self, block: Block) -> bool:
        """As the base: a guest is called as the host calls."""
        return self._host.indexed(block)

    def without_gradient(self, block: Block, argument: str) -> bool:
        """Of whoever computes the block."""
        return self._owner(block).without_gradient(block, argument)

    def parameters(self, block: Block) -> dict[str, torch.nn.Parameter]:
        """Under the owner's names."""
        return self._owner(block).parameters(block)

    def reference_gradients(self, block: Block, gradients: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """By the owner's parametrisation."""
        return self._owner(block).reference_gradients(block, gradients)

    def roundoff(self, block: Block, fmt: Format) -> dict[Component, float]:
        """Of whoever computes the block."""
        return self._owner(block).roundoff(block, fmt)

    def note(self, block: Block, fmt: Format) -> str:
        """Of whoever computes the block."""
        return self._owner(block).note(block, fmt)


def mix(
    model: torch.nn.Module, swaps: Mapping[str, str], base: str = ACCELERATED_BACKEND, device: str | torch.device = "cpu", adapters: bool = True
) -> torch.nn.Module:
    """A working model of which single blocks are computed by other backends.

    Args:
        model: upstream's e3nn model in float64; moved to the device, otherwise unchanged.
        swaps: backend by block name, e.g. ``{"products.0.linear": "e3nn"}``; ``mpcheck blocks`` lists the names.
        base: backend of all other blocks.
        device: cpu or cuda.
        adapters: convert layouts at the boundary of every swapped block; False hands tensors through as they are.

    Returns:
        A module that takes and gives what upstream's do; it shares its parameters with the parts.

    Raises:
        InputError: unknown backend or block, or a backend that is unavailable here.
    """
    where = torch.device(device)
    built: dict[str, BackendModel] = {}
    source = model.to(where)
    for name in dict.fromkeys((base, *swaps.values())):
        if is_variant(name, backends()):
            raise InputError(f"backend {name}: blocks of a variant cannot be swapped; give {name.rpartition(PLUS)[0]}")
        twin = build(get_backend(name), source, where)
        if isinstance(twin, Unsupported):
            raise InputError(f"backend {name}: {twin}")
        built[name] = twin
    return MixedModel(built[base], built, swaps, adapters).model
