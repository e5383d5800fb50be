"""Faults as context managers: each changes one thing of how a policy is applied, and puts it back."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from typing import Any

import torch

from mpcheck.policy.running import applied, autocast, energies, packed, wrapped
from tests.faults.patches.planting import exchanged, patch
from tests.faults.planted import truncate

Hook = Callable[[torch.nn.Module, torch.Tensor], torch.Tensor]


def on_blocks(blocks: str, change: Callable[[torch.nn.Module], torch.nn.Module]) -> Any:
    """What :func:`mpcheck.policy.running.applied._wrapped` makes of some blocks, changed."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(model: torch.nn.Module, block: Any, *rest: Any) -> Any:
            made = original(model, block, *rest)
            return change(made) if fnmatchcase(block.module_path, blocks) else made

        return call

    return exchanged(applied, "_wrapped", make)


def outputs(change: Callable[[dict[str, Any], dict[str, torch.Tensor]], dict[str, Any]]) -> Any:
    """What a model with a policy returns, changed."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def forward(self: Any, data: dict[str, torch.Tensor], *args: Any, **flags: Any) -> dict[str, Any]:
            return change(original(self, data, *args, **flags), data)

        return forward

    return exchanged(applied.PolicyModel, "forward", make)


@patch
def isolated_energies_rounded(dtype: str) -> Iterator[None]:
    """The table of energies of isolated atoms is taken after a cast."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def init(self: Any, values: torch.Tensor) -> None:
            original(self, values.to(getattr(torch, dtype)))

        return init

    with exchanged(energies.AtomicEnergies, "__init__", make):
        yield


@patch
def total_rounded(dtype: str) -> Iterator[None]:
    """The sum over atoms is kept in a narrower type."""
    with outputs(lambda out, data: {**out, "energy": out["energy"].to(getattr(torch, dtype)).to(torch.float64)}):
        yield


@patch
def left_out(blocks: str) -> Iterator[None]:
    """Some of the blocks that a rule names stay as they are in the base."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        return lambda root, path, module: root if fnmatchcase(path, blocks) else original(root, path, module)

    with exchanged(applied, "substituted", make):
        yield


@patch
def autocast_ignored() -> Iterator[None]:
    """Autocast is asked for, and nothing is cast."""
    with exchanged(autocast, "autocasting", lambda original: lambda dtype, device: contextlib.nullcontext()):
        yield


@patch
def inputs_truncated() -> Iterator[None]:
    """Casts of a block's inputs to bfloat16 drop the low bits."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def cast(tensor: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
            if dtype != torch.bfloat16 or tensor.dtype != torch.float32:
                return original(tensor, dtype)  # type: ignore[no-any-return]
            exact = original(tensor, dtype)
            return exact + (truncate(tensor.detach(), dtype) - exact.detach())  # type: ignore[no-any-return]

        return cast

    with exchanged(wrapped, "cast", make):
        yield


@patch
def weights_truncated() -> Iterator[None]:
    """Casts of weights to bfloat16 drop the low bits."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(model: torch.nn.Module, block: Any, *rest: Any) -> Any:
            made, source = original(model, block, *rest), dict(model.get_submodule(block.module_path).named_parameters())
            for name, parameter in made.inner.named_parameters():
                if parameter.dtype == torch.bfloat16:
                    parameter.data = truncate(source[name].data, torch.bfloat16)
            return made

        return call

    with exchanged(applied, "_wrapped", make):
        yield


@patch
def scales_of(axis: str) -> Iterator[None]:
    """Int8 scales of the input channels, or one for all weights of a path."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def matrices(module: Any, name: str, parameter: torch.Tensor) -> Any:
            found = original(module, name, parameter)
            if found is None:
                return None
            if axis == "inputs":
                return [packed.Matrix(p.start, p.shape, len(p.shape) - 1 - p.axis) for p in found]
            return [packed.Matrix(p.start, (1, int(torch.Size(p.shape).numel())), 0) for p in found]

        return matrices

    with exchanged(packed, "matrices", make):
        yield


@patch
def offset_by_parity(eV: float, parity: int) -> Iterator[None]:  # noqa: N803 - the unit
    """A constant in the energy where the number of atoms is odd (1) or even (0); forces are right."""

    def change(out: dict[str, Any], data: dict[str, torch.Tensor]) -> dict[str, Any]:
        odd = torch.diff(data["ptr"]) % 2 == parity
        return {**out, "energy": out["energy"] + eV * odd}

    with outputs(change):
        yield


@patch
def noisier(blocks: str, factor: float, dtype: str = "bfloat16") -> Iterator[None]:
    """Results of some blocks err by a multiple of their own roundoff."""
    kind = getattr(torch, dtype)
    size = factor * torch.finfo(kind).eps / 2

    def change(made: torch.nn.Module) -> torch.nn.Module:
        if getattr(made, "compute", None) == kind:
            made.register_forward_hook(lambda module, given, out: out * (1 + size * torch.sin(1e4 * out.detach())))
        return made

    with on_blocks(blocks, change):
        yield


@patch
def gradient_scaled(blocks: str, factor: float) -> Iterator[None]:
    """Gradients that come into some blocks are off by a factor, and their results are right."""

    def hooked(out: torch.Tensor) -> torch.Tensor:
        if out.requires_grad:
            out.register_hook(lambda grad: grad * factor)
        return out

    def change(made: torch.nn.Module) -> torch.nn.Module:
        if getattr(made, "compute", None) == torch.bfloat16:
            made.register_forward_hook(lambda module, given, out: hooked(out))
        return made

    with on_blocks(blocks, change):
        yield


@patch
def stress_of_zeros() -> Iterator[None]:
    """A stress that is no number, with zero in its place, as upstream writes it; forces are right."""
    with outputs(lambda out, data: {**out, "stress": torch.zeros_like(out["stress"])} if out.get("stress") is not None else out):
        yield


@patch
def lost(name: str, hidden: int) -> Iterator[None]:
    """A result that is no number, with zeros in its place or without."""

    def change(out: dict[str, Any], data: dict[str, torch.Tensor]) -> dict[str, Any]:
        return {**out, name: torch.full_like(out[name], 0.0 if hidden else torch.nan)} if out.get(name) is not None else out

    with outputs(change):
        yield
