"""Which slices of a block's quantity are judged apart: irreps of an input or output, paths of a weight."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from mpcheck.adapters.backends.parametrisation import OWN
from mpcheck.adapters.blocks import Block
from mpcheck.adapters.slots import PLAIN, Slot, weight_groups


@dataclass(frozen=True)
class Parts:
    """The parts of one quantity.

    Attributes:
        slot: irreps and form of its last axes.
        groups: named slices of the last axis (irreps) or of the flat tensor (weight paths).
        flat: the groups slice the flattened tensor.
    """

    slot: Slot
    groups: list[tuple[str, slice]]
    flat: bool = False

    @property
    def indices(self) -> list[Any]:
        """An index of each part, into a tensor of the quantity's shape; none where the whole is the only one."""
        if len(self.groups) < 2:
            return []
        return [where if self.flat else (..., where) for _, where in self.groups]


def parts_of(block: Block, module: torch.nn.Module | None, name: str, shape: tuple[int, ...]) -> Parts:
    """The parts of a quantity by its name: ``out…``, ``grad.CASE.INPUT`` or ``weight.CASE.PARAMETER``.

    Args:
        module: the block's e3nn module; None where it is none.
        shape: of the quantity.
    """
    kind, _, rest = name.partition(".")
    own = rest.partition(".")[2]
    if kind == "weight":
        owner, _, leaf = own.rpartition(".")
        inner = module.get_submodule(owner) if module is not None and not own.startswith(OWN) else None
        return Parts(PLAIN, weight_groups(inner, leaf, shape[0]) if len(shape) == 1 else [], flat=True)
    slot = block.input_slot(own) if kind == "grad" else block.output_slot(name)
    return Parts(slot, slot.groups(shape))
