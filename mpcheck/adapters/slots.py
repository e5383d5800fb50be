"""What every tensor of a block carries: its irreps and its form."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import torch

from mpcheck.adapters.upstream import SymmetricContraction, e3nn_nn, mace, o3

Form = Literal["flat", "channels", "plain"]
"""flat: [rows, irreps.dim] · channels: [rows, multiplicity, sum of 2l+1] (one multiplicity for all) · plain: scalars."""


@dataclass(frozen=True)
class Slot:
    """Irreps (e3nn string) and form of one input or output; plain tensors have none."""

    irreps: str | None = None
    form: Form = "plain"

    def groups(self, shape: tuple[int, ...]) -> list[tuple[str, slice]]:
        """Irreps as slices of the last axis: ``[("16x0e", slice(0, 16)), …]``; one unnamed group where they do not apply."""
        if not shape:
            return []
        irreps = o3.Irreps(self.irreps) if self.irreps is not None else None
        if irreps is not None and self.form == "flat" and irreps.dim == shape[-1]:
            return [(str(mul_ir), s) for mul_ir, s in zip(irreps, irreps.slices(), strict=True)]
        if irreps is not None and self.form == "channels":
            single = o3.Irreps([(1, ir) for _, ir in irreps])
            if single.dim == shape[-1]:
                return [(str(mul_ir), s) for mul_ir, s in zip(irreps, single.slices(), strict=True)]
        return [("", slice(0, shape[-1]))]


PLAIN = Slot()


def cut_as(slot: Slot, other: Slot) -> Slot:
    """A slot in the parts of another one that is the same after merging neighbours: ``6x1o`` as ``3x1o+3x1o``; else as it is.

    In ``mul_ir`` the parts do not show, in ``ir_mul`` each lies for itself.
    """
    if slot.form != "flat" or other.form != "flat" or slot.irreps == other.irreps:
        return slot
    same = o3.Irreps(slot.irreps).simplify() == o3.Irreps(other.irreps).simplify()
    return other if same else slot


def _flat(irreps: object) -> Slot:
    return Slot(str(irreps), "flat")


def _channels(irreps: object) -> Slot:
    return Slot(str(irreps), "channels")


def _irreps_of(module: object, name: str) -> Any:
    """Irreps that a module names, e3nn's or cuEquivariance's; None where it names none."""
    value = getattr(module, name, None)
    return value if type(value).__name__ == "Irreps" else None


def input_slots(module: torch.nn.Module) -> dict[str, Slot]:
    """Slots of a block's arguments by the name that its e3nn class gives them, also of cuEquivariance's; arguments not listed are plain."""
    if (left := _irreps_of(module, "irreps_in1")) is not None and (right := _irreps_of(module, "irreps_in2")) is not None:
        return {"x": _flat(left), "y": _flat(right)}
    if isinstance(module, o3.Linear | e3nn_nn.Activation):
        return {"features": _flat(module.irreps_in)}
    if isinstance(module, SymmetricContraction):
        return {"x": _channels(module.irreps_in)}
    if isinstance(module, o3.SphericalHarmonics):
        return {"x": _flat(module.irreps_in)}
    if isinstance(module, mace.modules.blocks.InteractionBlock):
        return {name: _flat(getattr(module, f"{name}_irreps")) for name in ("node_attrs", "node_feats", "edge_attrs")}
    if isinstance(module, mace.modules.blocks.EquivariantProductBasisBlock):
        contraction = module.symmetric_contractions
        return {"node_feats": _channels(contraction.irreps_in), "sc": _flat(module.linear.irreps_out)}
    if isinstance(module, mace.modules.irreps_tools.reshape_irreps):
        return {"tensor": _flat(module.irreps)}
    for child in ("linear", "linear_1"):
        entered = _irreps_of(getattr(module, child, None), "irreps_in")
        if entered is not None:  # the read-outs: their first argument enters a linear
            return {"x": _flat(entered), "node_attrs": _flat(entered)}
    irreps_in = _irreps_of(module, "irreps_in")
    return {"x": _flat(irreps_in), "features": _flat(irreps_in)} if irreps_in is not None else {}


def output_slots(module: torch.nn.Module) -> dict[str, Slot]:
    """Slots of a block's outputs: ``out``, or ``out.0``, ``out.1`` … of a tuple."""
    if isinstance(module, mace.modules.blocks.InteractionBlock):
        message = getattr(module, "irreps_out", module.target_irreps)
        return {"out.0": _channels(message), "out.1": _flat(module.hidden_irreps)}
    if isinstance(module, mace.modules.blocks.EquivariantProductBasisBlock):
        return {"out": _flat(module.linear.irreps_out)}
    if isinstance(module, mace.modules.irreps_tools.reshape_irreps):
        return {"out": _channels(module.irreps)}
    irreps_out = _irreps_of(module, "irreps_out")
    if getattr(module, "irreps_out", None) is None:
        irreps_out = _irreps_of(getattr(module, "linear", None), "irreps_out")
    return {"out": _flat(irreps_out)} if irreps_out is not None else {}


def weight_groups(module: torch.nn.Module | None, name: str, numel: int) -> list[tuple[str, slice]]:
    """Paths of a flat weight of an e3nn linear or tensor product, as slices: a fault in one instruction moves one slice."""
    instructions = getattr(module, "instructions", None)
    if name != "weight" or not instructions:
        return []
    groups, start = [], 0
    for instruction in instructions:
        shape = getattr(instruction, "path_shape", None)
        if shape is None or getattr(instruction, "i_in", 0) == -1 or not getattr(instruction, "has_weight", True):
            continue
        size = math.prod(shape)
        groups.append((_path_label(module, instruction), slice(start, start + size)))
        start += size
    return groups if start == numel else []


def _path_label(module: Any, instruction: Any) -> str:
    out = module.irreps_out[instruction.i_out]
    if hasattr(instruction, "i_in1"):
        return f"{module.irreps_in1[instruction.i_in1]} * {module.irreps_in2[instruction.i_in2]} -> {out}"
    return f"{module.irreps_in[instruction.i_in]} -> {out}"
