"""Faults that show with some structures alone: periodicity, cells, padding."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from ase import Atoms

from mpcheck.sessions.run import Session
from tests.unit.checks.uses.asked import asked
from tests.unit.checks.uses.planted import Planted, Results, results, taken


def without_pbc(_: Any, atoms: Atoms) -> Atoms:
    changed = atoms.copy()
    changed.pbc = False
    return changed


def partly_periodic_as_all(_: Any, atoms: Atoms) -> Atoms:
    changed = atoms.copy()
    changed.pbc = bool(atoms.pbc.any())
    return changed


def periodic_where_there_is_a_cell(_: Any, atoms: Atoms) -> Atoms:
    changed = atoms.copy()
    changed.pbc = bool(abs(np.linalg.det(np.array(atoms.cell))) > 0) if not atoms.pbc.any() else atoms.pbc
    return changed


def cell_read_row_by_row(_: Any, atoms: Atoms) -> Atoms:
    """A cell that lies by columns in memory, read as if it lay by rows."""
    changed = atoms.copy()
    array = atoms.cell.array
    changed.cell = np.frombuffer(array.tobytes(order="A"), dtype=float).reshape(3, 3)
    return changed


def right_handed(_: Any, atoms: Atoms) -> Atoms:
    changed = atoms.copy()
    if np.linalg.det(np.array(atoms.cell)) < 0:
        changed.cell = np.array(atoms.cell)[::-1]
    return changed


def brought_into_another_cell(_: Any, atoms: Atoms) -> Atoms:
    """Wrapped at a cell that is not the structure's."""
    changed = atoms.copy()
    side = np.diag(np.array(atoms.cell))
    if bool(atoms.pbc.all()) and (side > 0).all():
        changed.positions = changed.positions % side
    return changed


@pytest.mark.parametrize(
    ("change", "kind"),
    [(without_pbc, ""), (partly_periodic_as_all, "slab"), (periodic_where_there_is_a_cell, "molecule"), (cell_read_row_by_row, "columns"),
     (right_handed, "left-handed"), (brought_into_another_cell, "outside")],
)  # fmt: skip
def test_structures_of_every_kind(run: Session, change: Callable[[Any, Atoms], Atoms], kind: str) -> None:
    with taken(change):
        found = asked(run, "periodicity")
    assert found.verdict == "fail" and kind in found.reason, found


def padded(change: Callable[[Any, Results], Results]) -> Planted:
    return results(lambda self, r: change(self, r) if self.pad_num_atoms or self.pad_num_edges else {})


@pytest.mark.parametrize("what", ["energy", "forces", "stress", "energies"])
def test_padding_that_leaks(run: Session, what: str) -> None:
    with padded(lambda _, r: {what: r[what] * (1 + 1e-9)}):
        found = asked(run, "padding")
    assert found.verdict == "fail" and what in found.reason, found
    with padded(lambda _, r: {what: r[what] * (1 + 1e-9)}):
        assert asked(run, "values").verdict == "pass"
