"""How the elements of a quantity are named, and which of them are judged as groups of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mpcheck.adapters.slots import Slot


@dataclass(frozen=True)
class ElementNames:
    """How to name the elements of a quantity.

    Attributes:
        slot: irreps and form of its last axes.
        groups: named slices of the last axis (irreps) or of the flat tensor (weight paths).
        rows: what the first axis counts: atom, edge, graph, or plain row.
        flat: the groups slice the flattened tensor.
    """

    slot: Slot
    groups: list[tuple[str, slice]]
    rows: str
    flat: bool = False

    def parts(self) -> list[Any]:
        """An index of each group that is judged apart, into a tensor of the quantity's shape; of everything where there is one."""
        if len(self.groups) < 2:
            return [...]
        return [where if self.flat else (..., where) for _, where in self.groups]


def place(index: int, shape: list[int], layout: ElementNames) -> str:
    """A flat index in words: ``edge 12, 16x1o, channel 3, component 0``."""
    position: list[int] = []
    for extent in reversed(shape):
        index, remainder = divmod(index, extent)
        position.insert(0, remainder)
    if not position:
        return "scalar"
    if layout.flat:
        flat = position[0] if len(position) == 1 else 0
        label = next((n for n, s in layout.groups if s.start <= flat < s.stop and n), "")
        return f"weight {position if len(position) > 1 else flat}" + (f" ({label})" if label else "")
    words = [f"{layout.rows} {position[0]}"]
    last = position[-1]
    for name, where in layout.groups:
        if name and where.start <= last < where.stop:
            dim = 2 * int(name.rpartition("x")[2][:-1]) + 1
            offset = last - where.start
            if layout.slot.form == "channels":
                return ", ".join([*words, name, f"channel {position[1]}", f"component {offset}"])
            return ", ".join([*words, name, f"channel {offset // dim}", f"component {offset % dim}"])
    return ", ".join([*words, *(f"index {p}" for p in position[1:])])
