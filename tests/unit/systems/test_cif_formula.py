"""A file whose formula tells of more than its sites make is not judged in silence."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.systems.samples import resolve
from tests.unit.systems.test_cif import NAMED, cif, written

SITES = ["C1 C 0 0 0", "O1 O .25 0 0"]
INVERSION = "loop_\n_symmetry_equiv_pos_as_xyz\n'x,y,z'\n'-x,-y,-z'\n"


def notes(tmp_path: Path, more: str, rows: list[str] | None = None) -> tuple[str, ...]:
    return resolve(written(tmp_path, cif(NAMED, rows or SITES, more=more))).notes


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("_chemical_formula_sum 'C H2 O'\n", "_chemical_formula_sum is C H2 O, and the sites make C O"),  # hydrogens that were never found
        ("_chemical_formula_sum 'C O'\n_cell_formula_units_Z 4\n", "is C O times 4 (_cell_formula_units_Z), and the sites make C O"),  # no symmetry
        ("_chemical_formula_sum 'C O0.97'\n", "is C O0.97, and"),
    ],
)
def test_what_has_no_site_is_told(tmp_path: Path, more: str, told: str) -> None:
    (note,) = notes(tmp_path, more)
    assert note.startswith(f"system file {tmp_path}") and told in note


@pytest.mark.parametrize(
    "more",
    [
        "_chemical_formula_sum 'C O'\n_cell_formula_units_Z 1\n",
        "_chemical_formula_sum 'C4 O4'\n",  # without a number of units the shares are compared
        "_chemical_formula_sum ?\n",
        "_chemical_formula_sum 'C (O)2'\n",  # not a sum; not read
        "_cell_formula_units_Z 4\n",
    ],
)
def test_what_agrees_or_is_not_read_is_not_told(tmp_path: Path, more: str) -> None:
    assert notes(tmp_path, more) == ()


def test_symmetry_and_deuterium_count(tmp_path: Path) -> None:
    told = notes(tmp_path, INVERSION + "_chemical_formula_sum 'C D2'\n_cell_formula_units_Z 1\n", ["C1 C 0 0 0", "D1 D .25 0 0"])
    assert len(told) == 1 and "are deuterium" in told[0]
