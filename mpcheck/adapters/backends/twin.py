"""A copy of a module tree whose tensors and inner arithmetic may be changed without touching the original; nothing is built anew.

``copy.deepcopy`` of a cuEquivariance model on a CPU takes as long as building it (11 to 55 s), for it compiles every fx graph again. Here
a graph is compiled again only where its inner type changes (0.25 s for the largest of the built-in model), and tensors are shared until
they are cast.
"""

from __future__ import annotations

import copy
from types import MethodType
from typing import Any
from weakref import WeakKeyDictionary

import torch

from mpcheck.adapters.backends.cueq_math import computing_in, polynomials, take_constants

# graph module -> {math dtype: the graph that computes in it}; nobody calls or casts these
_COMPILED: WeakKeyDictionary[torch.fx.GraphModule, dict[torch.dtype, torch.fx.GraphModule]] = WeakKeyDictionary()

BUILT_WITH = "_math_dtype_orig"
"""What cuEquivariance builds a module with anew when it is unpickled."""


def twin(module: torch.nn.Module, math: torch.dtype | None = None) -> torch.nn.Module:
    """A module of the same class with parameters of its own over the same storage.

    Args:
        math: inner arithmetic of cuEquivariance's modules that have a fixed one; None leaves it.
    """
    made = _twin(module, {})
    if math is not None:
        for module in made.modules():
            if isinstance(getattr(module, BUILT_WITH, None), torch.dtype):
                setattr(module, BUILT_WITH, math)
        for polynomial in polynomials(made):
            if isinstance(polynomial.math_dtype, torch.dtype) and polynomial.math_dtype != math:
                _recompute(polynomial, math)
    return made


def _twin(module: torch.nn.Module, made: dict[int, torch.nn.Module]) -> torch.nn.Module:
    if id(module) in made:
        return made[id(module)]
    if isinstance(module, torch.jit.ScriptModule):
        copied: torch.nn.Module = copy.deepcopy(module)
        made[id(module)] = copied
        return copied
    new: torch.nn.Module = object.__new__(module.__class__)  # an fx graph would get a class of its own
    made[id(module)] = new
    new.__dict__.update({name: _own(value, module, new) for name, value in module.__dict__.items()})
    new.__dict__["_parameters"] = {n: None if p is None else torch.nn.Parameter(p.data, p.requires_grad) for n, p in module._parameters.items()}
    new.__dict__["_buffers"] = dict(module._buffers)
    new.__dict__["_modules"] = {n: None if m is None else _twin(m, made) for n, m in module._modules.items()}
    return new


def _own(value: Any, module: torch.nn.Module, new: torch.nn.Module) -> Any:
    """An attribute as the twin has it. Upstream binds the forward of a fused convolution to its module by hand, and OpenEquivariance keeps what it
    makes its kernels of in a dictionary that a cast changes: neither must be the original's.
    """
    if isinstance(value, MethodType) and value.__self__ is module:
        return MethodType(value.__func__, new)
    return dict(value) if type(value) is dict else value


def _recompute(polynomial: Any, math: torch.dtype) -> None:
    """Inner arithmetic of one polynomial of a twin, whose graphs are the original's own objects no more."""
    polynomial.math_dtype = math
    for module in list(polynomial.modules()):
        for name, child in list(module._modules.items()):
            if isinstance(child, torch.fx.GraphModule):
                module._modules[name] = _computing(child, math)


def _computing(graph: torch.fx.GraphModule, math: torch.dtype) -> torch.nn.Module:
    """A graph that computes in another type, compiled once for all formats that have that inner type."""
    known = _COMPILED.setdefault(graph, {})
    if math not in known:
        known[math] = computing_in(graph, math)
    made = _twin(known[math], {})
    take_constants(made, graph, math)
    return made
