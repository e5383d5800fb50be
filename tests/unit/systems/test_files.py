"""Structure files are read or refused with one line that names them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpcheck._errors import InputError
from mpcheck.systems.resolve import resolve_system
from tests.unit.systems.samples import refusal, resolve


def test_cif(directory: Path) -> None:
    (frame,) = resolve(str(directory / "crystal.cif")).frames
    assert frame.get_chemical_formula() == "C8"
    assert frame.pbc.all()


CONTENTS = {
    "nan": ("2\n\nH 0 0 0\nO 0 0 nan\n", "position of atom 1 is not a finite number"),
    "infinite": ("1\n\nH inf 0 0\n", "position of atom 0 is not a finite number"),
    "absurd position": ("2\n\nO 0 0 0\nH 1e300 0 0\n", "is longer than 1e+06 Å"),
    "absurd cell": ('1\nLattice="1e9 0 0 0 4 0 0 0 4" pbc="T T T"\nC 0 0 0\n', "is longer than 1e+06 Å"),
    "coincident": ("3\n\nO 0 0 0\nH 0 0 1\nH 0 0 1.05\n", "atoms 1 and 2 are closer than"),
    "images": ('1\nLattice="4 0 0 0 4 0 0 0 0.05" pbc="T T T"\nC 0 0 0\n', "its lattice repeats every 0.05 Å"),
    "across the cell": ('2\nLattice="4 0 0 0 4 0 0 0 4" pbc="T T T"\nC 0 0 0\nC 0 0 3.95\n', "atoms 0 and 1 are closer than"),
    "Z=200": ("2\nProperties=Z:I:1:pos:R:3\n1 0 0 0\n200 0 0 1\n", "atom 1 has the atomic number 200"),
    "Z=-118": ("1\nProperties=Z:I:1:pos:R:3\n-118 0 0 0\n", "atom 0 has the atomic number -118"),
    "Z=119": ("1\nProperties=Z:I:1:pos:R:3\n119 0 0 0\n", "atom 0 has the atomic number 119"),
    "Z=0": ("2\nProperties=Z:I:1:pos:R:3\n1 0 0 0\n0 0 0 1\n", "without an element (X or number 0), the first is atom 1"),
    "huge count": ("99999999999\n\nH 0 0 0\n", "'99999999999' where the number of atoms belongs"),
    "negative count": ("-1\n\nH 0 0 0\n", "'-1' where the number of atoms belongs"),
    "huge columns": ("1\nProperties=species:S:1:pos:R:999999999\nH 0 0 0\n", "numbers of columns up to 200"),
    "quoted columns": ('1\n"Properties"="species:S:1:pos:R:999999999"\nH 0 0 0\n', "numbers of columns up to 200"),
    "braced columns": ("1\nProperties={species:S:1:pos:R:999999999}\nH 0 0 0\n", "numbers of columns up to 200"),
    "escaped columns": ("1\nPropert\\ies=species:S:1:pos:R:999999999\nH 0 0 0\n", "bad.xyz"),
    "many columns": ("1\nProperties=species:S:1:pos:R:3" + ":a:R:9" * 300 + "\nH 0 0 0\n", "numbers of columns up to 200"),
    "huge cell": ('1\nLattice="1e5 0 0 0 1e5 0 0 0 1e5" pbc="T T T"\nC 0 0 0\n', "neighbour list would take"),
    "far from the origin": ("2\n\nC 0 0 0\nC 0 1e5 0\n", "neighbour list would take"),
    "long line": ("1\n" + "x" * 2_000_000 + "\nH 0 0 0\n", "a line of more than 1 MiB"),
    "no end": ("\0" * 2_000_000, "a line of more than 1 MiB"),
    "crowded": ("20000\n\n" + "H 0 0 0\n" * 20000, "are closer than"),
    "edges": (
        "20000\n\n" + "".join(f"H {i % 27 * 0.2:.1f} {i // 27 % 27 * 0.2:.1f} {i // 729 * 0.2:.1f}\n" for i in range(20000)),
        "pairs of atoms within",
    ),
    "foreign": ("2\n\nSi 0 0 0\nFe 0 0 2\n", "has Si, Fe, which the model lacks"),
    "unknown": ("1\n\nQq 0 0 0\n", "Qq"),
    "nameless": ("1\n\nX 0 0 0\n", "species of atom 0: 'X' is no element's symbol"),
    "no cell": ('1\npbc="T T T"\nC 0 0 0\n', "periodic along a cell vector of no length"),
    "flat cell": ('1\nLattice="4 0 0 4 0 0 0 0 4" pbc="T T T"\nC 0 0 0\n', "its cell has no volume"),
    "nan cell": ('1\nLattice="nan 0 0 0 4 0 0 0 4" pbc="T T T"\nC 0 0 0\n', "cell is not finite"),
    "no atoms": ("0\n\n", "has no atoms"),
    "truncated": ("3\n\nO 0 0 0\nH 0 0 1\n", "3 atoms are announced, 2 are there"),
    "cut line": ("2\n\nO 0 0 0\nH 0 0\n", "cannot be read"),
    "empty": ("", "the selection is empty"),
    "prose": ("These are no atoms.\n", "where the number of atoms belongs"),
}


@pytest.mark.parametrize("kind", CONTENTS)
def test_bad_files(tmp_path: Path, kind: str) -> None:
    content, reason = CONTENTS[kind]
    path = tmp_path / "bad.xyz"
    path.write_text(content, encoding="utf-8")
    message = refusal(str(path))
    assert str(path) in message
    assert reason in message


@pytest.mark.parametrize("name", ["frames.traj", "frames.json", "POSCAR", "frames.pckl"])
def test_other_formats_are_refused_unread(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("99999999999\n", encoding="utf-8")
    assert "ase convert" in refusal(str(tmp_path / name))


def test_chosen_frames_are_those_of_the_slice(tmp_path: Path) -> None:
    path = tmp_path / "frames.XYZ"
    path.write_text("".join(f"2\n\nH {i} 0 0\nH {i} 0 1\n" for i in range(7)), encoding="utf-8")
    for text, expected in {
        "": [0],
        "@-1": [6],
        "@-7": [0],
        "@::3": [0, 3, 6],
        "@-2:": [5, 6],
        "@1:3": [1, 2],
        "@::-3": [6, 3, 0],
        "@5:99": [5, 6],
    }.items():
        assert [frame.positions[0, 0] for frame in resolve(f"{path}{text}").frames] == expected
    for text in ("@7", "@-8", "@3:3", "@::0", "@9:"):
        assert "the selection is empty" in refusal(f"{path}{text}")


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_truncated_or_random_files_are_read_or_refused(directory: Path, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(["frames.extxyz", "crystal.cif"]))
    whole = (directory / name).read_bytes()
    path = directory / f"damaged-{name}"
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    path.write_bytes(data.draw(st.just(cut) | st.binary(max_size=80) | st.binary(max_size=10).map(lambda b: cut + b)))
    try:
        system = resolve(f"{path}@:")
    except InputError as error:
        message = str(error)
        if "\n" in message or str(path) not in message:
            pytest.fail(message)
    else:
        assert all(np.isfinite(f.positions).all() for f in system.frames)


@pytest.mark.parametrize("content", [b"0", b"0\n", b"\n", b"1"])
def test_a_file_that_ends_before_its_first_atom_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "short.extxyz"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"system (file )?.*short\.extxyz"):
        resolve_system(str(path), ["H", "O"], 4.0, 0)
