"""Names and positions of a call, behind decorators of every kind."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest
import torch

from mpcheck.adapters.calls import argument_names, called, forward_signature, named


class Plain(torch.nn.Module):
    """Takes two tensors, an option and more by name."""

    def forward(self, x: torch.Tensor, y: torch.Tensor | None = None, *, scale: float = 1.0) -> Any:
        return x, y, scale


def bare(forward: Callable[..., Any]) -> Callable[..., Any]:
    def inner(self: Any, *args: Any, **kwargs: Any) -> Any:
        return forward(self, *args, **kwargs)

    return inner


def wrapping(forward: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(forward)
    def inner(self: Any, a: Any, *rest: Any, **kwargs: Any) -> Any:
        return forward(self, a, *rest, **kwargs)

    return inner


def renaming(forward: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(forward)
    def inner(self: Any, first: Any, second: Any = None, **kwargs: Any) -> Any:
        return forward(self, first, second, **kwargs)

    return inner


class Deaf(torch.nn.Module):
    """Nothing inside has names."""

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return args, kwargs


class Child(Plain):
    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return super().forward(*args, **kwargs)


def instance() -> torch.nn.Module:
    """A method of one object replaced, as users patch models."""
    module = Plain()
    original = module.forward
    module.forward = lambda *args, **kwargs: original(*args, **kwargs)  # type: ignore[method-assign]
    return module


def of(*decorators: Callable[..., Any]) -> torch.nn.Module:
    forward: Callable[..., Any] = Plain.forward
    for decorator in decorators:
        forward = decorator(forward)
    return type("Decorated", (torch.nn.Module,), {"forward": forward})()


DECORATED: dict[str, Callable[[], torch.nn.Module]] = {
    "plain": Plain, "bare": lambda: of(bare), "wraps": lambda: of(wrapping), "renamed": lambda: of(renaming),
    "twice": lambda: of(bare, bare, wrapping, bare),
    "inherited": Child, "instance": instance, "no_grad": lambda: of(torch.no_grad()),
}  # fmt: skip


@pytest.mark.parametrize("name", list(DECORATED))
def test_names_are_those_of_the_function_inside(name: str) -> None:
    assert argument_names(DECORATED[name]()) == ["x", "y", "scale"]


GIVEN = [(("x",), {}), (("x", "y"), {}), (("x", "y"), {"scale": 2.0}), (("x",), {"scale": 2.0}), (("x",), {"y": "y"})]


@pytest.mark.parametrize(("name", "given"), [(n, g) for n in DECORATED for g in GIVEN if n != "renamed" or "y" not in g[1]])
def test_a_call_is_repeated_as_it_was_made(name: str, given: tuple[tuple[Any, ...], dict[str, Any]]) -> None:
    module, (args, kwargs) = DECORATED[name](), given
    arguments, positional = named(forward_signature(module), args, kwargs)
    assert list(arguments)[: len(args)] == list(positional) == ["x", "y"][: len(args)]
    assert called(module, arguments, positional) == module(*args, **kwargs)


def test_by_name_what_came_by_name() -> None:
    """One that looks into its keyword arguments takes nothing by position."""
    arguments, positional = named(forward_signature(Plain()), (), {"y": 2, "x": 1})
    assert arguments == {"x": 1, "y": 2} and list(arguments) == ["x", "y"] and positional == ()


def test_what_nobody_names_is_counted() -> None:
    module = Deaf()
    arguments, positional = named(forward_signature(module), ("a", "b"), {"c": 1})
    assert arguments == {"0": "a", "1": "b", "c": 1} and called(module, arguments, positional) == (("a", "b"), {"c": 1})
    assert argument_names(module) == []


def test_names_of_a_scripted_module_are_those_of_its_schema() -> None:
    class Scaled(torch.nn.Module):
        def forward(self, x: torch.Tensor, factor: float = 2.0) -> torch.Tensor:
            return x * factor

    assert argument_names(torch.jit.script(Scaled())) == ["x", "factor"]
