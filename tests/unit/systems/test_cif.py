"""Crystals are read whole and ordered, or refused with file, field and site; symmetry is ASE's where ASE is right."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from ase.io import read, write
from ase.spacegroup import crystal

from tests.unit.systems.samples import refusal, resolve

EDGES = "_cell_length_a {0}\n_cell_length_b {0}\n_cell_length_c {0}\n"
ANGLES = "_cell_angle_alpha 90\n_cell_angle_beta 90\n_cell_angle_gamma 90\n"
PLACES = ["fract_x", "fract_y", "fract_z"]
NAMED = ["label", "type_symbol", *PLACES]


def cif(columns: list[str], rows: list[str], edge: float = 4.0, more: str = "") -> str:
    head = "data_x\n" + EDGES.format(edge) + ANGLES + more + "loop_\n"
    return head + "".join(f"_atom_site_{column}\n" for column in columns) + "".join(f"{row}\n" for row in rows)


def written(tmp_path: Path, text: str) -> str:
    path = tmp_path / "crystal.cif"
    path.write_text(text, encoding="utf-8")
    return str(path)


OCCUPIED = [*NAMED, "occupancy"]
REFUSED = {
    "partly there": (cif(OCCUPIED, ["C1 C 0 0 0 1", "O1 O .5 .5 .5 0.5"]), "_atom_site_occupancy of site O1 is 0.5"),
    "refined": (cif(OCCUPIED, ["C1 C 0 0 0 1", "O1 O .5 .5 .5 0.97(2)"]), "_atom_site_occupancy of site O1 is 0.97"),
    "mixed": (cif(OCCUPIED, ["C1 C 0 0 0 0.5", "O1 O 0 0 0 0.5"]), "_atom_site_occupancy of site C1"),
    "mixed without occupancies": (cif(NAMED, ["C1 C 0 0 0", "O1 O 0 0 0"]), "site C1 and site O1, of different elements, are in one place"),
    "mixed by symmetry": (
        cif(NAMED, ["C1 C .1 0 0", "O1 O -.1 0 0"], more="loop_\n_symmetry_equiv_pos_as_xyz\n'x,y,z'\n'-x,-y,-z'\n"),
        "of different elements, are in one place",
    ),
    "not there": (cif(OCCUPIED, ["C1 C 0 0 0 1", "O1 O .5 .5 .5 0"]), "of site O1 is 0,"),
    "unknown": (cif(OCCUPIED, ["C1 C 0 0 0 1", "O1 O .5 .5 .5 ?"]), "of site O1 is ?"),
    "alternatives": (cif([*NAMED, "disorder_group"], ["C1 C 0 0 0 1", "O1 O .5 .5 .5 2"]), "_atom_site_disorder_group of site O1 is 2"),
    "about a special position": (cif([*NAMED, "disorder_group"], ["C1 C 0 0 0 .", "O1 O .5 .5 .5 -1"]), "_atom_site_disorder_group of site O1"),
    "no hydrogens": (cif([*NAMED, "attached_hydrogens"], ["C1 C 0 0 0 0", "O1 O .5 .5 .5 2"]), "_atom_site_attached_hydrogens of site O1 is 2"),
    "a dummy by its flag": (cif([*NAMED, "calc_flag"], ["C1 C 0 0 0 d", "O1 O .5 .5 .5 dum"]), "_atom_site_calc_flag of site O1 is dum"),
    "modulated": (cif(NAMED, ["C1 C 0 0 0"], more="_cell_modulation_dimension 1\n"), "_cell_modulation_dimension"),
    "tritium": (cif(NAMED, ["T1 T 0 0 0"]), "_atom_site_type_symbol of site T1: 'T' may be tritium"),
    "a dummy": (cif(NAMED, ["X1 X 0 0 0"]), "_atom_site_type_symbol of site X1"),
    "a vacancy": (cif(NAMED, ["C1 C 0 0 0", "V Vac .5 0 0"]), "_atom_site_type_symbol of site V: 'Vac'"),
    "two elements": (cif(NAMED, ["M1 C/O 0 0 0"]), "_atom_site_type_symbol of site M1"),
    "capitals": (cif(NAMED, ["C1 CA 0 0 0"]), "write C or Ca"),
    "water": (cif(["label", *PLACES], ["OW1 0 0 0"]), "or add _atom_site_type_symbol"),
    "undetermined": (cif(NAMED, ["C1 ? 0 0 0"]), "_atom_site_type_symbol of site C1"),
    "nowhere": (cif(NAMED, ["C1 C 0 0 0", "O1 O ? ? ?"]), "_atom_site_fract_x of site O1 is '?'"),
    "of unequal length": (cif(NAMED, ["C1 C 0 0 0", "O1 O .5 .5 .5"]) + "loop_\n_atom_site_occupancy\n1\n", "has 1 rows for 2 sites"),
    "no sites": (cif(["label", "type_symbol"], ["C1 C"]), "no structure in it"),
    "no rows": (cif(NAMED, []), "its loop of sites has no rows"),
    "no elements": (cif(PLACES, ["0 0 0"]), "neither _atom_site_type_symbol nor"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_disorder_is_refused(tmp_path: Path, kind: str) -> None:
    text, says = REFUSED[kind]
    spec = written(tmp_path, text)
    message = refusal(spec)
    assert spec in message and says in message


UNDERSTOOD = {
    "full": (cif(OCCUPIED, ["C1 C 0 0 0 1.00(2)", "O1 O .5 .5 .5 ."]), "CO"),
    "charged": (cif(["type_symbol", *PLACES], ["O2- 0 0 0", "C4+ .5 .5 .5"]), "OC"),
    "labels": (cif(["label", *PLACES], ["O1 0 0 0", "H2A .5 .5 .5"]), "OH"),
    "deuterium": (cif(NAMED, ["D1 D 0 0 0", "O1 O .5 .5 .5"]), "HO"),
    "one group": (cif([*NAMED, "disorder_group"], ["C1 C 0 0 0 1", "O1 O .5 .5 .5 1"]), "CO"),
    "operations and no group": (cif(NAMED, ["C1 C .1 0 0"], more="loop_\n_symmetry_equiv_pos_as_xyz\n'x,y,z'\n'-x,-y,-z'\n"), "C2"),
    "a mark of an editor's": ("\ufeff" + cif(NAMED, ["C1 C 0 0 0", "O1 O .5 .5 .5"]), "CO"),
    "a large box": (cif(NAMED, ["O1 O 0.5 0.5 0.5", "H1 H 0.5 0.5 0.50095"], edge=1000), "OH"),
}


@pytest.mark.parametrize("kind", UNDERSTOOD)
def test_what_is_meant_is_understood(tmp_path: Path, kind: str) -> None:
    text, formula = UNDERSTOOD[kind]
    system = resolve(written(tmp_path, text))
    assert str(system.frames[0].symbols) == formula
    assert len(system.notes) == (kind == "deuterium") and all("_atom_site_type_symbol: 1 sites, first site D1" in note for note in system.notes)


def test_sites_that_symmetry_repeats_count_once_and_that_is_said(tmp_path: Path) -> None:
    text = cif(NAMED, ["C1 C .1 0 0", "C2 C -.1 0 0", "O1 O 0 .5 0"], more="loop_\n_symmetry_equiv_pos_as_xyz\n'x,y,z'\n'-x,-y,-z'\n")
    system = resolve(written(tmp_path, text))
    assert str(system.frames[0].symbols) == "C2O" and "1 sites, first site C2" in system.notes[0]


@pytest.mark.parametrize("group", [1, 2, 14, 62, 123, 148, 166, 194, 216, 225, 227, 229])
def test_symmetry_multiplies_as_ase_does(tmp_path: Path, group: int) -> None:
    cubic, hexagonal = group > 194, 142 < group < 195
    cell = [9.0, 9.0, 9.0, 90, 90, 90] if cubic else [8.0, 8.0, 11.0, 90, 90, 120] if hexagonal else [7.0, 7.0, 10.0, 90, 90, 90]
    path = tmp_path / "group.cif"
    sites = [(0.0, 0.0, 0.0), (1 / 3, 2 / 3, 0.25), (0.11, 0.31, 0.417)]
    structure = crystal("COH", sites, spacegroup=group, cellpar=cell)
    lines = "".join(f"{s}{i} {s} {x:.4f} {y:.4f} {z:.4f}\n" for i, (s, (x, y, z)) in enumerate(zip("COH", sites, strict=True)))
    tags = "".join(
        f"_cell_{n} {v}\n" for n, v in zip(("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma"), cell, strict=True)
    )
    head = f"data_x\n{tags}_space_group_IT_number {group}\nloop_\n" + "".join(f"_atom_site_{c}\n" for c in NAMED)
    path.write_text(head + lines, encoding="utf-8")
    frame, asked = resolve(f"{path}@0").frames[0], read(path)
    assert len(frame) == len(structure) == len(asked)
    assert (frame.numbers == asked.numbers).all() and np.allclose(frame.positions, asked.positions, rtol=0, atol=1e-12)


def test_thousands_of_sites_are_compared_in_a_tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ASE compares each with each: 93 s for these on the machine that this was found on."""
    path = tmp_path / "many.cif"
    write(path, bulk("C", "diamond", a=3.567, cubic=True).repeat((8, 8, 8)))
    monkeypatch.setattr("ase.spacegroup.spacegroup.Spacegroup.equivalent_sites", lambda *_args, **_kwargs: pytest.fail("compares each with each"))
    assert resolve(str(path)).atoms == 4096


def test_blocks_are_frames(tmp_path: Path) -> None:
    whole, mixed = cif(NAMED, ["C1 C 0 0 0"]), cif(OCCUPIED, ["C1 C 0 0 0 0.5"])
    spec = written(tmp_path, "data_global\n_journal_year 2020\n" + whole + mixed.replace("data_x", "data_y"))
    assert resolve(spec).atoms == resolve(f"{spec}@0").atoms == 1
    assert "frame 1: _atom_site_occupancy" in refusal(f"{spec}@1")
    assert "the selection is empty" in refusal(f"{spec}@2")
