"""What a backend is, and the registry of those that are installed.

Third parties register theirs by an entry point in the group ``mpcheck.backends`` that names a :class:`Backend`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from functools import cache
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import Any, Protocol, runtime_checkable

import torch

from mpcheck._errors import InputError
from mpcheck._unsupported import Unsupported, of_backend
from mpcheck._variants import parted
from mpcheck.adapters.backends.converter import Converter
from mpcheck.adapters.backends.layout import Layout
from mpcheck.adapters.blocks import Block
from mpcheck.formats import Component, Format

Native = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]
"""A function and what it is called with."""


class BackendModel(Protocol):
    """One model as one backend computes it, on one device; built once per process in float64.

    Blocks are called with e3nn's argument names and layout and answer in e3nn's layout; the backend converts explicitly
    and differentiably, so that one reference judges all backends. :class:`mpcheck.adapters.backends.base.BackendModelBase` has defaults.

    Attributes:
        source: the e3nn model that it was built from.
        layout: in which it keeps irreps tensors between blocks.
        packages: import names of the packages whose modules are the backend's own implementation of a block: what computes there is counted.
            Without any it is taken at its word.
        differs: whether energies and forces of the whole model must have other bits than e3nn's if the backend computes anything. False where
            it is e3nn's own code in another form.
    """

    name: str
    device: torch.device
    source: torch.nn.Module
    layout: Layout
    packages: tuple[str, ...]
    differs: bool

    def unsupported(self, block: Block, fmt: Format) -> Unsupported | None:
        """Why this block cannot run in this format here; None where it can."""

    def prepared(self, block: Block, fmt: Format) -> contextlib.AbstractContextManager[None]:
        """The block's parameters, buffers and inner arithmetic in the format, from the float64 state, and back."""

    def here(self, block: Block) -> Block:
        """A block of the e3nn model with the parts into which this backend's own cuts its irreps: what a layout is to be read by."""

    def call(self, block: Block, arguments: Mapping[str, Any]) -> Any:
        """Run the block; arguments and result in e3nn's names and layout."""

    def native(self, block: Block, arguments: Mapping[str, Any]) -> Native:
        """A block's own function and its arguments in the backend's own layout: what a timer times.

        Args:
            arguments: in e3nn's names and layout, of the format's storage type, on the model's device.
        """

    def module(self, block: Block) -> torch.nn.Module | None:
        """The module whose parameters the block uses; of :data:`mpcheck.adapters.blocks.WHOLE` the whole model, called as upstream's."""

    def parameters(self, block: Block) -> dict[str, torch.nn.Parameter]:
        """Trainable parameters of the block under this backend's names."""

    def reference_gradients(self, block: Block, gradients: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Parameter gradients in the e3nn block's names, shapes and parametrisation, by an exact linear map."""

    def without_gradient(self, block: Block, argument: str) -> bool:
        """Whether no gradient flows to an argument here though it does in e3nn: an element that is an index, not a one-hot vector."""

    def roundoff(self, block: Block, fmt: Format) -> dict[Component, float]:
        """Unit roundoff of each component of the block here; see :class:`mpcheck.formats.Format`."""

    def rounds_otherwise(self, block: Block, fmt: Format) -> bool:
        """Whether sound code surely rounds otherwise than e3nn's, so that equal bits can only come from the same code."""

    def math_types(self, block: Block) -> set[torch.dtype]:
        """Types that the block computes in inside, whatever its tensors have; empty where it follows them."""

    def pinned(self, block: Block) -> list[torch.Tensor]:
        """Buffers that have the format's math type while the block is prepared, not its storage type."""

    def note(self, block: Block, fmt: Format) -> str:
        """What a reader must know of how the block runs here (implementation, inner arithmetic); may be empty."""

    def substitute(self, block: Block) -> str:
        """What computes the block instead of the backend's own implementation; empty where that does, or where none is meant to."""

    def lacking(self, block: Block) -> str:
        """One of the backend's ``capabilities`` that the block ran without, which alone is no fault; empty where none is missing."""

    def indexed(self, block: Block) -> bool:
        """Whether the block's module is a symmetric contraction that is called as cuEquivariance's: ``[rows, dim * mul]`` in ir_mul and
        element indices, in place of e3nn's ``[rows, mul, dim]`` and one-hot elements.
        """

    def around(self, model: torch.nn.Module) -> BackendModel:
        """The same backend computing with another whole model, some of whose blocks are other backends'; this one stays as it is."""


@runtime_checkable
class Backend(Protocol):
    """A way to compute a MACE model. :class:`mpcheck.adapters.backends.base.BackendBase` has defaults.

    Attributes:
        capabilities: what its models may lack and a user may require, each with what is then to be said: ``cueq-kernels``, …
        converter: its conversion from and to e3nn, to be checked; None where there is no way back.
    """

    name: str
    capabilities: Mapping[str, str]
    converter: Converter | None

    def unavailable(self, device: str) -> Unsupported | None:
        """Why this backend cannot be used on a device; None where it can."""

    def build(self, model: torch.nn.Module, device: torch.device) -> BackendModel:
        """The backend's twin of a float64 e3nn model.

        Raises:
            NotImplementedError: upstream cannot convert this architecture; the message says why.
        """

    def construction(self) -> tuple[Callable[[], torch.nn.Module], str]:
        """Makes a small model the way the backend's users do, without mpcheck's guards; and what that is, in words."""


def unsupported(model: BackendModel, block: Block, fmt: Format) -> Unsupported | None:
    """Why a block cannot run in a format on a backend, also where the backend gives no more than a text."""
    why = model.unsupported(block, fmt)
    return of_backend(model.name, why, "no-kernel") if why else None


def built(backend: Backend, model: torch.nn.Module, device: torch.device) -> BackendModel | Unsupported:
    """A backend's model, or why it is unavailable."""
    if missing := unavailable(backend, device.type):
        return missing
    try:
        return backend.build(model, device)
    except NotImplementedError as error:
        return Unsupported("no-conversion", str(error), backend.name)


def unavailable(backend: Backend, device: str) -> Unsupported | None:
    """Why a backend cannot be used on a device, also where it gives no more than a text."""
    why = backend.unavailable(device)
    return of_backend(backend.name, why, "not-installed") if why else None


def place(backend: Backend, device: torch.device) -> torch.device:
    """Where small models are converted that are not a user's: on the CPU, in a backend that has nothing there on the run's device."""
    return torch.device("cpu") if unavailable(backend, "cpu") is None else device


_ADDED: ContextVar[Mapping[str, Backend]] = ContextVar("mpcheck backends", default=MappingProxyType({}))


@contextlib.contextmanager
def added(backend: Backend) -> Iterator[None]:
    """A backend that no entry point names is registered under its name while the block lasts, in this thread.

    Raises:
        InputError: it is no backend.
    """
    if not isinstance(backend, Backend):
        raise InputError(f"an object of class {type(backend).__name__} is no backend; derive it from mpcheck.adapters.backends.base.BackendBase")
    token = _ADDED.set({**_ADDED.get(), backend.name: backend})
    try:
        yield
    finally:
        _ADDED.reset(token)


def backends() -> dict[str, Backend]:
    """Backends by name: the built-in ones, other installed ones, those of :func:`added`.

    Raises:
        InputError: an entry point that cannot be imported or is no backend.
    """
    return {**installed(), **_ADDED.get()}


@cache
def installed() -> dict[str, Backend]:
    """Backends that entry points name, the built-in ones first; read once.

    Raises:
        InputError: as :func:`backends`.
    """
    by_name: dict[str, Backend] = {}
    for point in sorted(entry_points(group="mpcheck.backends"), key=lambda p: (not p.value.startswith("mpcheck."), p.name)):
        try:
            backend = point.load()
        except Exception as error:
            raise InputError(f"backend {point.name} ({point.value}) cannot be imported: {error}; uninstall or fix its package") from error
        if not isinstance(backend, Backend):
            raise InputError(
                f"backend {point.name} ({point.value}) does not implement mpcheck.adapters.backends.protocol.Backend; "
                "derive it from mpcheck.adapters.backends.base.BackendBase"
            )
        by_name[point.name] = backend
    return by_name


def get_backend(name: str) -> Backend:
    """A backend by name, in a variant where the name has one: ``e3nn+compile``.

    Raises:
        InputError: unknown name; lists the known ones.
    """
    known = backends()
    base, variant = parted(name, known)
    if not variant:
        return known[base]
    from mpcheck.adapters.backends.variants import VariantBackend  # which is itself a backend

    return VariantBackend(known[base], variant, base)
