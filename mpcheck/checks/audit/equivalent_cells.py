"""One crystal in several cells: twice as large, skew, left-handed, its atoms elsewhere; the energy of an atom does not depend on which."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from ase import Atoms

from mpcheck.adapters.execution import Tensors
from mpcheck.checks.physics.structure import DRAWS, Case, difference_ratio, evaluate, limit_of
from mpcheck.records.record import Record
from mpcheck.reference.deviation import deviation, disturbed
from mpcheck.reference.noise import seed_of

MOVE = (0.37, -0.61, 0.83)  # of r_max
FARTHEST = 3  # cells that an atom is put away from its own


@dataclass(frozen=True)
class Cell:
    """A frame as tensors: positions [atoms, 3] and cell [3, 3] in Å, and which of its vectors are periodic, shortest first."""

    positions: torch.Tensor
    cell: torch.Tensor
    periodic: tuple[int, ...]


def _twice(given: Cell, _: Case) -> Cell | None:
    if not given.periodic:
        return None
    axis, cell = given.periodic[0], given.cell.clone()
    cell[axis] = 2.0 * cell[axis]
    return Cell(torch.cat([given.positions, given.positions + given.cell[axis]]), cell, given.periodic)


def _skew(given: Cell, _: Case) -> Cell | None:
    if len(given.periodic) < 2:
        return None
    cell = given.cell.clone()
    for one, other, times in zip(given.periodic, given.periodic[1:], (1.0, -1.0), strict=False):
        cell[one] = cell[one] + times * given.cell[other]
    return Cell(given.positions, cell, given.periodic)


def _left_handed(given: Cell, _: Case) -> Cell | None:
    if not given.periodic:
        return None
    cell = given.cell.clone()
    cell[given.periodic[0]] = -cell[given.periodic[0]]
    return Cell(given.positions, cell, given.periodic)


def _unwrapped(given: Cell, case: Case) -> Cell | None:
    if not given.periodic:
        return None
    rng = np.random.default_rng([case.context.seed, len(given.positions)])
    cells = torch.zeros(len(given.positions), 3, dtype=torch.float64)
    for axis in given.periodic:
        cells[:, axis] = torch.from_numpy(rng.integers(-FARTHEST, FARTHEST + 1, len(cells)).astype(np.float64))
    return Cell(given.positions + cells @ given.cell, given.cell, given.periodic)


def _moved(given: Cell, case: Case) -> Cell | None:
    return Cell(given.positions + case.context.model.r_max * torch.tensor(MOVE, dtype=torch.float64), given.cell, given.periodic)


VARIANTS: dict[str, tuple[Callable[[Cell, Case], Cell | None], str]] = {
    "twice": (_twice, "a cell twice as large"), "skew": (_skew, "an equivalent skew cell"),
    "left-handed": (_left_handed, "a left-handed cell"), "unwrapped": (_unwrapped, "atoms put into other cells"),
    "moved": (_moved, "all atoms moved together"),
}  # fmt: skip


def cell_of(frame: Atoms) -> Cell:
    """A frame's tensors."""
    lengths = frame.cell.lengths()
    periodic = sorted((i for i in range(3) if frame.pbc[i]), key=lambda i: float(lengths[i]))
    return Cell(torch.tensor(frame.positions, dtype=torch.float64), torch.tensor(np.array(frame.cell), dtype=torch.float64), tuple(periodic))


def node_energies(model: torch.nn.Module, graph: Tensors) -> torch.Tensor:
    """Energies of the atoms [atoms] in eV. Their sum would round E0 of equal atoms alike, in proportion to how many there are."""
    return evaluate(model, graph, compute_force=False)["node_energy"]


def compare_cells(case: Case, frames: Sequence[Atoms]) -> list[Record]:
    """Energies of atoms in other cells, in units of what the rounding of both makes."""
    graph = case.graph(*frames)
    counts = [len(frame) for frame in frames]
    base = node_energies(case.model, graph).cpu().split(counts)
    return list(_variants(case, frames, base, _noise(case, frames, graph).cpu().split(counts)))


def _variants(case: Case, frames: Sequence[Atoms], base: Sequence[torch.Tensor], scale: Sequence[torch.Tensor]) -> Iterator[Record]:
    for name, (make, told) in VARIANTS.items():
        made = [(i, cell) for i, frame in enumerate(frames) if (cell := make(cell_of(frame), case)) is not None]
        if not made:
            continue
        copies = [len(cell.positions) // len(frames[i]) for i, cell in made]
        others = [
            Atoms(np.tile(frames[i].numbers, n), cell.positions.numpy(), cell=cell.cell.numpy(), pbc=frames[i].pbc)
            for (i, cell), n in zip(made, copies, strict=True)
        ]
        got = node_energies(case.model, case.graph(*others)).cpu()
        expected, allowed = (torch.cat([rows[i].repeat(n) for (i, _), n in zip(made, copies, strict=True)]) for rows in (base, scale))
        owners = torch.cat([torch.full((len(o),), i) for (i, _), o in zip(made, others, strict=True)])
        off = (got - expected).abs()
        worst = int(off.nan_to_num(nan=math.inf).argmax())
        where = f"frame {int(owners[worst])}"
        size = float(off[worst]) * 1e3
        reason = f"{told} changes the energy of an atom of {where} by {size:.3g} meV: its edges are others"
        metrics = {"difference_meV": size, "frames": float(len(made))}
        ratio = difference_ratio(got, expected, allowed)
        yield case.finding(ratio, limit=limit_of(case, len(got)), variant=name, reason=reason, worst=where, metrics=metrics)


def _noise(case: Case, frames: Sequence[Atoms], graph: Tensors) -> torch.Tensor:
    """RMS rounding error of each atom's energy, where positions are moved and shifts multiplied as they are in other cells."""
    cells = [cell_of(frame) for frame in frames]
    model = case.context.reference_backend.model
    owner = graph["batch"][graph["edge_index"][0]]

    def values() -> Tensors:
        moved = []
        for cell in cells:
            away = torch.full((3,), float(FARTHEST), dtype=torch.float64) @ cell.cell if cell.periodic else torch.zeros(3, dtype=torch.float64)
            away = away + case.context.model.r_max * torch.tensor(MOVE, dtype=torch.float64)
            moved.append(cell.positions + away)
        vectors = torch.stack([cell.cell for cell in cells]).to(owner.device)[owner]
        shifts = torch.einsum("ei,eij->ej", graph["unit_shifts"], vectors)
        return {"energies": node_energies(model, {**graph, "positions": torch.cat(moved).to(owner.device), "shifts": shifts})}

    seeds = [seed_of("cells", case.context.seed, case.key.system, draw) for draw in range(DRAWS)]
    return deviation(disturbed(values), values(), seeds)["energies"]
