"""Floating-point tensors that a module holds, and those of another type than was asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch


def of_other_types(module: torch.nn.Module, dtype: torch.dtype) -> list[str]:
    """Parameters, buffers and constants of compiled code that are floating-point and not of a type.

    Args:
        module: of Python, or of TorchScript.

    Returns:
        ``NAME in float64``, in the module's order.
    """
    found = (*module.named_parameters(), *module.named_buffers(), *_constants(module))
    return [f"{n} in {str(t.dtype).removeprefix('torch.')}" for n, t in found if t.is_floating_point() and t.dtype != dtype]


def _constants(module: torch.nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    """Tensors that TorchScript keeps in its code, which no cast of the module reaches; numbers without dimension are promoted to any type."""
    if not isinstance(module, torch.jit.ScriptModule):
        return
    graph: Any = module.inlined_graph
    for node in graph.findAllNodes("prim::Constant"):
        if node.hasAttribute("value") and node.kindOf("value") == "t":
            tensor = node.t("value")
            if tensor.dim():
                yield f"constant {node.output().debugName()} of the compiled code", tensor
