"""Structures of every periodicity and every form of a cell behind upstream's calculator, and structures that it pads.

The tensors that it hands over must be those of the structure: the neighbour list itself is judged elsewhere, on the same structures' like.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from ase import Atoms

from mpcheck.checks.physics.graph_strides import frames_of
from mpcheck.checks.physics.structure import Case
from mpcheck.checks.uses.asking import Difference, structures
from mpcheck.checks.uses.door import Door
from mpcheck.checks.uses.handing import handed
from mpcheck.checks.uses.results import given

PADDED = (("atoms and edges", 3, 40), ("edges", 0, 40), ("one atom", 1, 1))
"""What is added to a structure: in words, atoms, edges."""


def kinds(case: Case) -> Mapping[str, Atoms]:
    """Structures by what is special about them."""
    crystal, molecule = structures(case)[0], frames_of(case)["molecule"][0]

    def made(cell: np.ndarray, pbc: object = True, moved: np.ndarray | float = 0.0) -> Atoms:
        frame = crystal.copy()
        frame.positions = frame.positions + moved
        frame.cell, frame.pbc = cell, pbc
        return frame

    cell = np.array(crystal.cell)
    columns = made(cell)
    columns.cell.array = np.asfortranarray(cell)
    boxed = molecule.copy()
    # smaller than the molecule: who takes it for a period gets other neighbours
    boxed.cell = cell * 0.6
    return {
        "a slab": made(cell, (True, True, False)), "a slab along x": made(cell, (False, True, True)), "a wire": made(cell, (False, True, False)),
        "a left-handed cell": made(cell[[1, 0, 2]]), "atoms outside of the cell": made(cell, True, 2 * cell[0] - 3 * cell[1] + 0.1),
        "a cell that lies by columns in memory": columns, "a molecule with a cell": boxed,
    }  # fmt: skip


def periodicity(door: Door) -> Iterator[Difference]:
    """Tensors and results of structures of every kind."""
    for kind, frame in kinds(door.case).items():
        wanted = door.truth(frame)
        rows = door.compared((yield from handed(door, _like(frame), door.case.graph(frame), f" of {kind}")), wanted, frame, kind)
        for row in rows:
            yield Difference(f"{row.what} of {kind}", row.ratio, row.limit, row.size)


def _like(frame: Atoms) -> Atoms:
    """A copy whose cell lies in memory as the original's, which ASE's own does not keep."""
    copy = frame.copy()
    copy.cell.array = np.array(frame.cell.array, order="K")
    return copy


def padding(door: Door) -> Iterator[Difference]:
    """Results of structures that are filled up with atoms and edges, with an odd and with an even count of atoms."""
    for frame, atoms in zip(structures(door.case), ("odd", "even"), strict=True):
        wanted = door.truth(frame)
        edges = int(door.case.graph(frame)["edge_index"].shape[1])
        for what, more_atoms, more_edges in PADDED:
            calc = door.open(pad_num_atoms=len(frame) + more_atoms if more_atoms else 0, pad_num_edges=edges + more_edges)
            calc.calculate(frame.copy())
            for row in door.compared(given(calc.results), wanted, frame, f"padded {atoms}"):
                yield Difference(f"{row.what} ({what} added to {len(frame)} atoms)", row.ratio, row.limit, row.size)
