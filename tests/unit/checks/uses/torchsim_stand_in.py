"""A package that poses as torch_sim: its state, how it is made of structures, and its model of MACE, as its public interface has them."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any
from unittest import mock

import numpy as np
import torch
from ase import Atoms

from mpcheck.adapters.upstream import mace


@dataclass(frozen=True)
class SimState:
    """Structures side by side; vectors of a cell are columns."""

    positions: torch.Tensor
    cell: torch.Tensor
    pbc: bool
    atomic_numbers: torch.Tensor
    system_idx: torch.Tensor


def atoms_to_state(atoms: list[Atoms], device: torch.device, dtype: torch.dtype) -> SimState:
    """TorchSim's function of this name."""
    return SimState(
        torch.tensor(np.concatenate([a.positions for a in atoms]), dtype=dtype, device=device),
        torch.tensor(np.stack([a.cell.array.T for a in atoms]), dtype=dtype, device=device),
        bool(atoms[0].pbc.all()),
        torch.tensor(np.concatenate([a.numbers for a in atoms]), dtype=torch.int, device=device),
        torch.tensor(np.repeat(np.arange(len(atoms)), [len(a) for a in atoms]), device=device),
    )


class MaceModel(torch.nn.Module):
    """TorchSim's class of this name, with a head."""

    def __init__(self, model: torch.nn.Module, *, device: torch.device, dtype: torch.dtype, compute_forces: bool = True, compute_stress: bool = True,
                 head: str | None = None) -> None:  # fmt: skip
        super().__init__()
        self.model = model.to(device).to(dtype)
        self.model.atomic_numbers = self.model.atomic_numbers.detach().clone()
        self.dtype, self.flags = dtype, {"compute_force": compute_forces, "compute_stress": compute_stress}
        self.head = list(getattr(model, "heads", ["Default"])).index(head) if head else 0

    def forward(self, state: SimState) -> dict[str, torch.Tensor]:
        """A neighbour list for each structure, and one call for all."""
        edges, shifts, units, start = [], [], [], 0
        for cell, rows in zip(state.cell.mT, self._parts(state), strict=True):
            index, shift, unit, _ = mace.data.neighborhood.get_neighborhood(
                rows.detach().numpy().astype(float),
                float(self.model.r_max),
                (state.pbc,) * 3,
                cell.numpy().astype(float) if state.pbc else np.zeros((3, 3)),
            )
            edges.append(torch.as_tensor(index).long() + start)
            units.append(torch.as_tensor(unit).to(self.dtype))
            shifts.append(units[-1] @ cell if state.pbc else torch.as_tensor(shift).to(self.dtype))
            start += len(rows)
        counts = torch.bincount(state.system_idx)
        numbers = [int(z) for z in self.model.atomic_numbers]
        attrs = torch.eye(len(numbers), dtype=self.dtype)[[numbers.index(int(z)) for z in state.atomic_numbers]]
        out = self.model(
            {"ptr": torch.cat([torch.zeros(1, dtype=torch.long), counts.cumsum(0)]), "node_attrs": attrs, "batch": state.system_idx,
             "cell": state.cell.mT, "positions": state.positions, "edge_index": torch.cat(edges, 1), "unit_shifts": torch.cat(units),
             "shifts": torch.cat(shifts), "head": torch.full((len(counts),), self.head)}, **self.flags,
        )  # fmt: skip
        return {n: out[n].detach() for n in ("energy", "forces", "stress") if out.get(n) is not None}

    def _parts(self, state: SimState) -> list[torch.Tensor]:
        return [state.positions[state.system_idx == i] for i in range(len(state.cell))]


def _same(x: Any) -> Any:
    return x


@contextlib.contextmanager
def installed(
    state: Callable[[SimState], SimState] = _same,
    result: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]] = _same,
    asked: Callable[[dict[str, Any]], dict[str, Any]] = _same,
) -> Iterator[None]:
    """The package is there, with a fault in what its model gets, gives, or is asked for."""

    class Faulty(MaceModel):
        def __init__(self, model: torch.nn.Module, *, device: torch.device, dtype: torch.dtype, compute_forces: bool = True,
                     compute_stress: bool = True, head: str | None = None) -> None:  # fmt: skip
            chosen = asked({"dtype": dtype, "head": head})
            super().__init__(model, device=device, compute_forces=compute_forces, compute_stress=compute_stress, **chosen)

        def forward(self, given: SimState) -> dict[str, torch.Tensor]:
            given = replace(given, positions=given.positions.to(self.dtype), cell=given.cell.to(self.dtype))
            return result(super().forward(state(given)))

    made: dict[str, Any] = {n: ModuleType(n) for n in ("torch_sim", "torch_sim.io", "torch_sim.models", "torch_sim.models.mace")}
    made["torch_sim.io"].atoms_to_state = atoms_to_state
    made["torch_sim.models.mace"].MaceModel = Faulty
    for name in ("torch_sim", "torch_sim.models"):
        made[name].__path__ = []
    with mock.patch.dict(sys.modules, made):
        yield
