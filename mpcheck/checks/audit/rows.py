"""A block on other numbers of rows than it got: the same rows, drawn again and again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from mpcheck.adapters.backends.protocol import BackendModel
from mpcheck.adapters.execution import Run, Tensors
from mpcheck.adapters.steps import ENERGY_SUM, step_kind
from mpcheck.adapters.tree import map_tensors
from mpcheck.formats import Format
from mpcheck.judge.context import Counts
from mpcheck.judge.replay import arithmetic
from mpcheck.reference.library import BlockReference

SUMS = ("scatter", ENERGY_SUM)


class Made(TorchDispatchMode):
    """Bytes of all tensors that operations made: no less than what is held at once, and what time goes by.

    Attributes:
        total, largest: bytes.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch is untyped here
        self.total = self.largest = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        given = {t.untyped_storage().data_ptr() for t in tree_leaves((args, kwargs)) if isinstance(t, torch.Tensor)}
        for tensor in (leaf for leaf in tree_leaves(result) if isinstance(leaf, torch.Tensor)):
            if tensor.untyped_storage().data_ptr() not in given:  # no view
                self.total += tensor.untyped_storage().nbytes()
                self.largest = max(self.largest, tensor.untyped_storage().nbytes())
        return result


@dataclass(frozen=True)
class Rows:
    """Which axis of each argument counts a block's rows.

    Attributes:
        count: how many rows it got. axes: by argument; arguments not listed belong to all rows.
    """

    count: int
    axes: Mapping[str, int]

    def drawn(self, inputs: Tensors, chosen: torch.Tensor) -> Tensors:
        """Arguments of the chosen rows, some of them several times."""
        return {n: t.index_select(self.axes[n], chosen.to(t.device)) if n in self.axes else t for n, t in inputs.items()}


def rows_of(reference: BlockReference, counts: Counts) -> Rows | None:
    """The rows of a block whose results are rows too, each of its own; None where rows are summed, or where it cannot be told."""
    if step_kind(reference.block.name) in SUMS:
        return None  # as many graphs as atoms, or atoms as edges, would look like rows of their own
    outputs = [t for n, t in reference.values.items() if n.partition(".")[0] == "out"]
    sizes = {t.shape[0] if t.dim() else 0 for t in outputs}
    if len(sizes) != 1 or (count := sizes.pop()) not in (counts.atoms, counts.edges) or counts.atoms == counts.edges:
        return None
    axes, others = {}, False
    for name, tensor in reference.inputs.items():
        if tensor.dim() and tensor.shape[0] == count:
            axes[name] = 0
        elif tensor.dim() == 2 and tensor.shape[1] == count and not tensor.is_floating_point():
            axes[name] = 1
        elif tensor.dim() and tensor.shape[0] in (counts.atoms, counts.edges):
            others = True
    # rows of another kind are looked up by the index of these (atoms by edges), or summed into them
    return Rows(count, axes) if axes and (not others or 1 in axes.values()) else None


def results(backend: BackendModel, reference: BlockReference, fmt: Format, rows: Rows, chosen: torch.Tensor, backward: bool = True) -> Tensors:
    """Outputs of the chosen rows and, if ``backward``, the gradient of each argument that has rows; to be called while the block is prepared."""

    def cast(t: torch.Tensor) -> torch.Tensor:
        return t.to(device=backend.device, dtype=fmt.storage, copy=True)

    with arithmetic(fmt, backend.device):
        inputs = map_tensors(cast, rows.drawn(reference.inputs, chosen))
        run = Run(lambda named: backend.call(reference.block, named), reference.skeleton, inputs, {}, backward)
        found = {n: t.detach() for n, t in run.outputs.items()}
        if not backward:
            return found
        case, cotangents = next(iter(reference.cotangents.items()))
        low = {n: c.to(backend.device, fmt.storage).index_select(0, chosen.to(backend.device)) for n, c in cotangents.items()}
        gradients, _ = run.backward(low)
    return found | {f"grad.{case}.{n}": g for n, g in gradients.items() if rows.axes.get(n) == 0}
