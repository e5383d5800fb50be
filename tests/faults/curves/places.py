"""Where in upstream a change can be planted for a while: results, arguments, parameters and tables of a block, its matrix products."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch

from mpcheck._unsupported import Unsupported
from mpcheck.adapters.backends.casting import replaced
from mpcheck.adapters.blocks import Block
from mpcheck.adapters.steps import step_kind
from mpcheck.adapters.upstream import mace
from mpcheck.checks.precision import CellKey
from mpcheck.reference.dispatch import DispatchMode
from mpcheck.reference.operations import is_product, packet_name
from mpcheck.sessions.run import Session
from tests.faults.curves.changes import Change, of_gradient, shortened
from tests.faults.patches.planting import exchanged

STEPS: dict[str, tuple[Any, str]] = {
    "edge_vectors": (mace.modules.utils, "get_edge_vectors_and_lengths"),
    "scatter": (mace.modules.blocks, "scatter_sum"),
    "energy_sum": (mace.modules.models, "scatter_sum"),
}


def block_of(session: Session, key: CellKey) -> Block:
    """The block of a cell."""
    return session.library(key.system).block(key.block)


def module_of(session: Session, key: CellKey) -> torch.nn.Module | None:
    """Upstream's module of a cell on its backend; None for steps.

    Raises:
        LookupError: the backend is unavailable.
    """
    backend = session.backend(key.backend)
    if isinstance(backend, Unsupported):
        raise LookupError(backend)
    return backend.module(block_of(session, key))


def layout_of(session: Session, key: CellKey) -> str:
    """``mul_ir`` or ``ir_mul``."""
    return str(getattr(session.backend(key.backend), "layout", "mul_ir"))


@contextlib.contextmanager
def result(session: Session, key: CellKey, change: Change) -> Iterator[None]:
    """A block's result (the first of several) goes through a change."""
    module = module_of(session, key)

    def changed(out: Any) -> Any:
        return (change(out[0]), *out[1:]) if isinstance(out, tuple) else change(out)

    if module is not None:
        handle = module.register_forward_hook(lambda _m, _i, out: changed(out))
        try:
            yield
        finally:
            handle.remove()
        return
    owner, name = STEPS[step_kind(key.block)]
    with exchanged(owner, name, lambda original: lambda *args, **kwargs: changed(original(*args, **kwargs))):
        yield


@contextlib.contextmanager
def argument_gradient(session: Session, key: CellKey, which: int, change: Change) -> Iterator[None]:
    """The gradient of one floating-point argument of a block's module changed."""
    module = module_of(session, key)
    assert module is not None, f"{key.block} is no module"

    def before(_module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        given = dict(enumerate(args)) | kwargs
        floats = [k for k, v in given.items() if isinstance(v, torch.Tensor) and v.is_floating_point() and v.requires_grad]
        if floats:
            chosen = floats[which % len(floats)]
            given[chosen] = of_gradient(given[chosen], change)
        return tuple(given[i] for i in range(len(args))), {k: given[k] for k in kwargs}

    handle = module.register_forward_pre_hook(before, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()


@contextlib.contextmanager
def parameter_gradient(session: Session, key: CellKey, which: int, change: Change) -> Iterator[None]:
    """The gradient of one parameter changed."""
    module = module_of(session, key)
    found = [p for p in module.parameters() if p.requires_grad] if module is not None else []
    handle = found[which % len(found)].register_hook(change)
    try:
        yield
    finally:
        handle.remove()


def _one(module: torch.nn.Module, parameters: bool, which: int) -> torch.Tensor:
    found: list[torch.Tensor] = [p for p in module.parameters() if p.requires_grad] if parameters else tables(module)
    return found[which % len(found)]


def tables(module: torch.nn.Module) -> list[torch.Tensor]:
    """Coefficient tables of a block, those of compiled children too: a table of one number only scales its path, which is equivariant."""
    found: list[torch.Tensor] = []

    def visit(tensor: torch.Tensor) -> torch.Tensor:
        if not isinstance(tensor, torch.nn.Parameter) and tensor.is_floating_point() and tensor.dim() >= 2 and int((tensor != 0).sum()) > 1:
            found.append(tensor)
        return tensor

    module._apply(visit)
    return found


@contextlib.contextmanager
def stored(session: Session, key: CellKey, parameters: bool, which: int, change: Change) -> Iterator[None]:
    """One parameter, or one coefficient table, changed in the float64 model, from which every format is cast."""
    module = module_of(session, key)
    assert module is not None, f"{key.block} is no module"
    place = _one(module, parameters, which).data_ptr()
    with replaced(module, lambda t: change(t) if t.data_ptr() == place and t.is_floating_point() else t):
        yield


@contextlib.contextmanager
def neighbour(magnitude: float, seed: int) -> Iterator[None]:
    """One neighbour of every atom counts 1 + magnitude times where messages are added up."""

    def make(original: Any) -> Any:
        def scatter(src: torch.Tensor, index: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
            order = torch.argsort(index, stable=True)
            counts = torch.bincount(index)
            starts = (counts.cumsum(0) - counts)[counts > 0]
            chosen = order[starts + seed % counts[counts > 0]]
            factor = torch.ones(src.shape[0], *[1] * (src.dim() - 1), dtype=torch.float64)
            factor[chosen] += magnitude
            return original((src.double() * factor).to(src.dtype), index, *args, **kwargs)

        return scatter

    owner, name = STEPS["scatter"]
    with exchanged(owner, name, lambda original: _by_name(make(original))):
        yield


def _by_name(function: Any) -> Any:
    return lambda src, index, **kwargs: function(src, index, **kwargs)


class Operands(DispatchMode):
    """Operands of every matrix product, forward and backward, left with fewer significant bits."""

    def __init__(self, bits: int) -> None:
        super().__init__()
        self.bits = bits

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if is_product(packet_name(func)):
            args = tuple(shortened(a, self.bits, True) if isinstance(a, torch.Tensor) and a.is_floating_point() else a for a in args)
        return func(*args, **(kwargs or {}))
