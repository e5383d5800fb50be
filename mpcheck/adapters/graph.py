"""Structures to the tensors that a MACE model takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from ase import Atoms
from ase.data import chemical_symbols

from mpcheck._errors import InputError
from mpcheck.adapters.upstream import default_dtype, mace, quiet
from mpcheck.systems.inputs import HEAD, ModelInput

Graph = dict[str, torch.Tensor]

# what upstream's forward reads; labels and weights of the training pipeline stay out
_KEYS = (
    "node_attrs", "positions", "edge_index", "shifts", "unit_shifts", "cell", "batch", "ptr", "head",
    "charges", "total_charge", "total_spin",
)  # fmt: skip


def model_elements(model: torch.nn.Module) -> list[str]:
    """Chemical symbols of a model, in the order of its one-hot node attributes."""
    numbers: Any = model.atomic_numbers
    return [chemical_symbols[int(z)] for z in numbers]


def make_graph(
    frames: Sequence[Atoms], elements: Sequence[str], r_max: float, heads: Sequence[str] = ("Default",), inputs: Sequence[ModelInput] = ()
) -> Graph:
    """One batch of graphs in float64 on the CPU.

    Args:
        frames: structures, Å; any periodicity.
        elements: the model's elements in one-hot order.
        r_max: cut-off in Å.
        heads: the model's heads; a frame goes to the one in its ``info``, and to the first where it names none.
        inputs: what else the model takes, from a frame's ``info`` and ``arrays`` under its name, by default where it has none.

    Returns:
        node_attrs [atoms, elements], positions [atoms, 3], edge_index [2, edges] (sender, receiver), shifts [edges, 3],
        unit_shifts [edges, 3], cell [graphs * 3, 3], batch [atoms], ptr [graphs + 1], head [graphs];
        charges [atoms] (e), total_charge [graphs] (e) and total_spin [graphs] where upstream has them, neutral and singlet, and every
        other input as upstream makes it: one number to a structure [graphs], one to an atom [atoms, 1].

    Raises:
        InputError: an element the model does not have, by name.
    """
    for frame in frames:
        missing = sorted(set(frame.get_chemical_symbols()) - set(elements))
        if missing:
            raise InputError(
                f"structure {frame.get_chemical_formula()} has {', '.join(missing)}, "
                f"which the model lacks (it has {', '.join(elements)}); choose a system of the model's elements"
            )
    table = mace.tools.AtomicNumberTable([chemical_symbols.index(s) for s in elements])
    keys = mace.data.KeySpecification(
        info_keys={i.name: i.name for i in inputs if not i.per_atom}, arrays_keys={i.name: i.name for i in inputs if i.per_atom}
    )
    with default_dtype(torch.float64), quiet():
        parts = []
        for frame in frames:
            config = mace.data.config_from_atoms(_bare(frame, inputs), key_specification=keys, head_name=frame.info.get(HEAD, heads[0]))
            parts.append(_ordered(mace.data.AtomicData.from_config(config, z_table=table, cutoff=r_max, heads=list(heads))))
        batch = mace.tools.torch_geometric.Batch.from_data_list(parts).to_dict()
    return {key: batch[key] for key in (*_KEYS, *(i.name for i in inputs if i.name not in _KEYS)) if key in batch}


def _bare(frame: Atoms, inputs: Sequence[ModelInput]) -> Atoms:
    """A frame with nothing but what the model takes."""
    bare = Atoms(frame.numbers, frame.positions, cell=np.array(frame.cell), pbc=frame.pbc)
    for entry in inputs:
        shape = (len(frame),) * entry.per_atom + ((entry.width,) if entry.width > 1 else ())
        default = np.full(shape, entry.default) if shape else entry.default
        place, held = (bare.arrays, frame.arrays) if entry.per_atom else (bare.info, frame.info)
        place[entry.name] = held.get(entry.name, default)
    return bare


def _ordered(data: Any) -> Any:
    """Edges by receiver, sender and shift, so that a neighbour list in another order gives the same tensors."""
    shift = data.unit_shifts.round().long()
    order = np.lexsort([*shift.T.numpy()[::-1], data.edge_index[0].numpy(), data.edge_index[1].numpy()])
    index = torch.from_numpy(order)
    data.edge_index = data.edge_index[:, index]
    data.shifts, data.unit_shifts = data.shifts[index], data.unit_shifts[index]
    return data
