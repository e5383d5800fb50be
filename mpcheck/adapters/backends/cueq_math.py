"""The inner arithmetic (``math_dtype``) of cuEquivariance modules, switched without rebuilding them.

Upstream bakes ``math_dtype`` in at construction, which takes 11-55 s for a symmetric contraction on a CPU: a model built in
float64 keeps computing in float64 inside after ``.to(bfloat16)``, and would look far more accurate than what its users
run. Users build under a float32 default dtype, so that 16-bit tensors are computed on in float32. The naive method's fx
graphs hold the type in ``to(dtype=…)`` nodes and in constants; both are rewritten here once per type, and a test compares
the result bit by bit with a model built under float32.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator
from typing import Any
from weakref import WeakKeyDictionary

import torch

# graph module -> {math dtype: (compiled forward, constants)}
_VARIANTS: WeakKeyDictionary[torch.fx.GraphModule, dict[torch.dtype, tuple[Any, dict[str, torch.Tensor]]]] = WeakKeyDictionary()


def polynomials(module: torch.nn.Module) -> list[Any]:
    """Submodules that have an inner arithmetic of their own."""
    return [m for m in module.modules() if type(m).__name__.startswith("SegmentedPolynomial") and hasattr(m, "math_dtype")]


def math_dtypes(module: torch.nn.Module) -> set[torch.dtype]:
    """The fixed inner types of a module; empty where it follows its inputs."""
    return {m.math_dtype for m in polynomials(module) if isinstance(m.math_dtype, torch.dtype)}


def _variant(graph: torch.fx.GraphModule, old: torch.dtype, new: torch.dtype) -> None:
    """Point one fx graph, which computes in ``old``, at another inner type; each variant is compiled once."""
    cls = type(graph)
    variants = _VARIANTS.setdefault(graph, {})
    if old not in variants:
        variants[old] = (cls.forward, {n: t for n, t in graph.named_buffers() if t.is_floating_point()})
    if new not in variants:
        _retype(graph.graph, new)
        graph.recompile()
        variants[new] = (cls.forward, {n: _pinned(torch.Tensor.to(t, new)) for n, t in variants[old][1].items()})
    cls.forward, constants = variants[new]
    for name, tensor in constants.items():
        path, _, leaf = name.rpartition(".")
        graph.get_submodule(path)._buffers[leaf] = tensor


def _retype(graph: torch.fx.Graph, dtype: torch.dtype) -> None:
    """Every cast inside an fx graph to another type."""
    for node in graph.nodes:
        if node.op == "call_method" and node.target == "to" and node.kwargs.get("dtype") is not None:
            node.kwargs = {**node.kwargs, "dtype": dtype}


def computing_in(graph: torch.fx.GraphModule, dtype: torch.dtype) -> torch.fx.GraphModule:
    """A copy of an fx graph with a fixed inner type that computes in another, once it has its constants: see :func:`take_constants`."""
    code = copy.deepcopy(graph.graph)
    _retype(code, dtype)
    return torch.fx.GraphModule(graph, code, type(graph).__name__)


def take_constants(made: torch.nn.Module, graph: torch.nn.Module, dtype: torch.dtype) -> None:
    """Give a copy of an fx graph the constants of the original, in another type."""
    for name, tensor in list(graph.named_buffers()):
        if tensor.is_floating_point():
            path, _, leaf = name.rpartition(".")
            made.get_submodule(path)._buffers[leaf] = _pinned(torch.Tensor.to(tensor, dtype))


def _pinned(tensor: torch.Tensor) -> torch.Tensor:
    """A constant that keeps its type when its module is cast, as upstream's are."""
    from cuequivariance_torch.primitives.segmented_polynomial_naive import disable_type_conv

    pinned: torch.Tensor = disable_type_conv(tensor)
    return pinned


@contextlib.contextmanager
def inner_arithmetic(module: torch.nn.Module, dtype: torch.dtype) -> Iterator[None]:
    """Every fixed inner type below ``module`` set to ``dtype`` while the block runs, then put back with its constants."""
    changed: list[tuple[Any, torch.dtype, list[torch.fx.GraphModule]]] = []
    try:
        for polynomial in polynomials(module):
            old = polynomial.math_dtype
            if not isinstance(old, torch.dtype) or old == dtype:
                continue
            graphs = [m for m in polynomial.modules() if isinstance(m, torch.fx.GraphModule)]
            changed.append((polynomial, old, graphs))
            polynomial.math_dtype = dtype
            for graph in graphs:
                _variant(graph, old, dtype)
        yield
    finally:
        for polynomial, old, graphs in changed:
            polynomial.math_dtype = old
            for graph in graphs:
                _variant(graph, dtype, old)
