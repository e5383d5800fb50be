"""What a backend is, and the registry of those that are installed.

Third parties register theirs by an entry point in the group ``mpcheck.backends`` that names a :class:`Backend`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from functools import cache
from importlib.metadata import entry_points
from typing import Any, Protocol, runtime_checkable

import torch

from mpcheck._errors import InputError
from mpcheck._unsupported import Unsupported, of_backend
from mpcheck.adapters.blocks import Block
from mpcheck.formats import Component, Format


class BackendModel(Protocol):
    """One model as one backend computes it, on one device; built once per process in float64.

    Blocks are called with e3nn's argument names and layout and answer in e3nn's layout; the backend converts explicitly
    and differentiably, so that one reference judges all backends.
    """

    name: str
    device: torch.device

    def unsupported(self, block: Block, fmt: Format) -> Unsupported | None:
        """Why this block cannot run in this format here; None where it can."""

    def prepared(self, block: Block, fmt: Format) -> contextlib.AbstractContextManager[None]:
        """The block's parameters, buffers and inner arithmetic in the format, from the float64 state, and back."""

    def call(self, block: Block, arguments: Mapping[str, Any]) -> Any:
        """Run the block; arguments and result in e3nn's names and layout."""

    def module(self, block: Block) -> torch.nn.Module | None:
        """The module whose parameters the block uses."""

    def parameters(self, block: Block) -> dict[str, torch.nn.Parameter]:
        """Trainable parameters of the block under this backend's names."""

    def reference_gradients(self, block: Block, gradients: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Parameter gradients in the e3nn block's names, shapes and parametrisation, by an exact linear map."""

    def roundoff(self, block: Block, fmt: Format) -> dict[Component, float]:
        """Unit roundoff of each component of the block here; see :class:`mpcheck.formats.Format`."""

    def note(self, block: Block, fmt: Format) -> str:
        """What a reader must know of how the block runs here (implementation, inner arithmetic); may be empty."""


@runtime_checkable
class Backend(Protocol):
    """A way to compute a MACE model."""

    name: str

    def unavailable(self, device: str) -> Unsupported | None:
        """Why this backend cannot be used on a device; None where it can."""

    def build(self, model: torch.nn.Module, device: torch.device) -> BackendModel:
        """The backend's twin of a float64 e3nn model.

        Raises:
            NotImplementedError: upstream cannot convert this architecture; the message says why.
        """


class Engaged(Protocol):
    """What a backend's model may say besides, so that another implementation in a block's place does not pass for its own."""

    def substitute(self, block: Block) -> str:
        """What computes the block instead of the backend's own implementation; empty where that does, or where none is meant to."""

    def lacking(self, block: Block) -> str:
        """A capability that the block ran without (``cueq-kernels``), which alone is no fault; empty where none is missing."""


def substitute(model: BackendModel, block: Block) -> str:
    """See :class:`Engaged`; a backend that does not say is taken at its word."""
    own: Callable[[Block], str] | None = getattr(model, "substitute", None)
    return own(block) if own is not None else ""


def lacking(model: BackendModel, block: Block) -> str:
    """See :class:`Engaged`."""
    own: Callable[[Block], str] | None = getattr(model, "lacking", None)
    return own(block) if own is not None else ""


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


Native = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]
"""A function and what it is called with."""


def native(model: BackendModel, block: Block, arguments: Mapping[str, Any]) -> Native:
    """A block's own function and its arguments in the backend's own layout: what a timer times.

    Args:
        arguments: in e3nn's names and layout, of the format's storage type, on the model's device.

    A backend that needs another layout has a method ``native(block, arguments)`` that converts; without one,
    :meth:`BackendModel.call` is the function, conversions and all.
    """
    own: Callable[[Block, Mapping[str, Any]], Native] | None = getattr(model, "native", None)
    return own(block, arguments) if own is not None else (lambda **named: model.call(block, named), (), dict(arguments))


@cache
def backends() -> dict[str, Backend]:
    """Installed backends by name, the built-in ones first.

    Raises:
        InputError: an entry point that cannot be imported or is no backend.
    """
    found: dict[str, Backend] = {}
    for point in sorted(entry_points(group="mpcheck.backends"), key=lambda p: (not p.value.startswith("mpcheck."), p.name)):
        try:
            backend = point.load()
        except Exception as error:
            raise InputError(f"backend {point.name} ({point.value}) cannot be imported: {error}; uninstall or fix its package") from error
        if not isinstance(backend, Backend):
            raise InputError(f"backend {point.name} ({point.value}) does not implement mpcheck.adapters.backends.protocol.Backend")
        found[point.name] = backend
    return found


def get_backend(name: str) -> Backend:
    """A backend by name.

    Raises:
        InputError: unknown name; lists the known ones.
    """
    known = backends()
    if name not in known:
        raise InputError(f"unknown backend {name!r}; choose from {', '.join(known)}")
    return known[name]
