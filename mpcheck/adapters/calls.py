"""How a module is called: the names of its arguments, also behind decorators, and which of them go by position.

Somebody who logs, times or patches upstream's code puts ``forward(self, *args, **kwargs)`` in the place of a method, with or without
``functools.wraps``. Names then come from the function inside; a call is repeated as it was made, by position what came by position.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterator, Mapping
from types import FunctionType, MethodType
from typing import Any

import torch

_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
_DEPTH = 8  # of decorators around one another


def _signature(function: Callable[..., Any]) -> inspect.Signature | None:
    """Of a function, or of a method without its ``self``; None where Python cannot tell."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return None
    parameters = list(signature.parameters.values())
    if isinstance(function, FunctionType) and parameters and parameters[0].name == "self":
        return signature.replace(parameters=parameters[1:])
    return signature


def _inside(function: Any, depth: int = 0) -> Iterator[Callable[..., Any]]:
    """A function, and those that it holds or names: what a decorator without ``functools.wraps`` calls."""
    if depth > _DEPTH:
        return
    yield function
    plain = function.__func__ if isinstance(function, MethodType) else getattr(function, "func", function)  # of a partial
    if not isinstance(plain, FunctionType):
        return
    held = [cell.cell_contents for cell in plain.__closure__ or () if _filled(cell)]
    named = [plain.__globals__.get(name) for name in plain.__code__.co_names]
    for candidate in [*held, *(plain.__defaults__ or ()), *(plain.__kwdefaults__ or {}).values(), *named]:
        inner = getattr(candidate, "forward", candidate) if isinstance(candidate, torch.nn.Module) else candidate
        known = isinstance(inner, (FunctionType, MethodType)) and inner is not plain
        if known and (inner.__name__ == "forward" or any(candidate is h for h in held)):
            yield from _inside(inner, depth + 1)


def _filled(cell: Any) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:  # not assigned yet
        return False


def forward_signature(module: torch.nn.Module) -> inspect.Signature:
    """Of what computes a module, without ``self``; with variadic parameters only where nothing inside has names."""
    if isinstance(module, torch.jit.ScriptModule) and hasattr(module.forward, "schema"):  # compiled: Python knows of no signature
        names = [argument.name for argument in module.forward.schema.arguments if argument.name != "self"]
        return inspect.Signature([inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in names])
    own = inspect.signature(module.forward)
    if not any(p.kind in _VARIADIC for p in own.parameters.values()):
        return own
    inherited = [vars(cls)["forward"] for cls in type(module).__mro__[1:-1] if "forward" in vars(cls) and cls is not torch.nn.Module]
    for function in [*_inside(module.forward), *inherited]:
        signature = _signature(function)
        if signature is not None and signature.parameters and not any(p.kind in _VARIADIC for p in signature.parameters.values()):
            return signature
    return own


def argument_names(module: torch.nn.Module) -> list[str]:
    """Names of a module's forward arguments."""
    return [n for n, p in forward_signature(module).parameters.items() if p.kind not in _VARIADIC]


def named(signature: inspect.Signature, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """One call's arguments by name, and the names of those that came by position.

    What no parameter names is ``0``, ``1`` … by its position.
    """
    fixed = [n for n, p in signature.parameters.items() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    names = [fixed[i] if i < len(fixed) else str(i) for i in range(len(args))]
    given = {**dict(zip(names, args, strict=True)), **kwargs}
    return {n: given[n] for n in (*names, *signature.parameters, *given) if n in given}, tuple(names)


def called(function: Callable[..., Any], arguments: Mapping[str, Any], positional: Collection[str]) -> Any:
    """Repeat a call: see :func:`named`."""
    return function(*(v for n, v in arguments.items() if n in positional), **{n: v for n, v in arguments.items() if n not in positional})
