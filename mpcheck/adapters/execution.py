"""Run one block, forward and backward, on named tensors: the one path that references and replays share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from mpcheck.adapters.tree import flatten, unflatten

Tensors = dict[str, torch.Tensor]


class Run:
    """One forward pass whose gradients can be asked for.

    Attributes:
        outputs: floating-point outputs by name: ``out``, or ``out.0``, ``out.1`` … of a tuple.
    """

    def __init__(
        self, call: Any, skeleton: Any, tensors: Mapping[str, torch.Tensor], parameters: Mapping[str, torch.nn.Parameter], grad: bool
    ) -> None:
        """Args:
        skeleton, tensors: of the arguments; floating-point tensors become leaves. parameters: whose gradients are wanted, if ``grad``.
        """
        self.leaves: Tensors = {}
        prepared: Tensors = {}
        for name, tensor in tensors.items():
            leaf = tensor.detach()
            if grad and leaf.is_floating_point():
                leaf = leaf.requires_grad_(True)
                self.leaves[name] = leaf
            prepared[name] = leaf
        self.parameters = dict(parameters)
        with torch.set_grad_enabled(grad):
            result = call(unflatten(skeleton, prepared))
        results: Tensors = {}
        flatten(result, "out", results)
        self.outputs = {n: t for n, t in results.items() if t.is_floating_point()}

    def backward(self, cotangents: Mapping[str, torch.Tensor], retain: bool = False) -> tuple[Tensors, Tensors]:
        """Vector-Jacobian product: gradients of inputs and of parameters, those that the outputs depend on.

        Args:
            cotangents: by output name, of the outputs' shapes and dtypes; outputs not named get none.
            retain: keep the graph for another call.
        """
        names = [n for n in cotangents if n in self.outputs and self.outputs[n].requires_grad]
        wanted = [*self.leaves.values(), *self.parameters.values()]
        if not names or not wanted:
            return {}, {}
        gradients = torch.autograd.grad(
            [self.outputs[n] for n in names], wanted, [cotangents[n] for n in names], retain_graph=retain, allow_unused=True
        )
        count = len(self.leaves)
        inputs = {n: g for n, g in zip(self.leaves, gradients[:count], strict=True) if g is not None}
        parameters = {n: g for n, g in zip(self.parameters, gradients[count:], strict=True) if g is not None}
        return inputs, parameters
