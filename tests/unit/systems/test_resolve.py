"""What a user names becomes checked frames, or one line."""

from __future__ import annotations

from pathlib import Path

import pytest
from ase import Atoms
from ase.build import molecule
from ase.neighborlist import neighbor_list

from mpcheck.systems.spacing import lattice
from tests.unit.systems.samples import R_MAX, graph_of, refusal, resolve


@pytest.mark.parametrize(
    ("selection", "indices"), [("", [0]), ("@-1", [5]), ("@::2", [0, 2, 4]), ("@1:3", [1, 2]), ("@:", list(range(6))), ("@3", [3])]
)
def test_frames_of_a_file(directory: Path, selection: str, indices: list[int]) -> None:
    system = resolve(f"{directory / 'frames.extxyz'}{selection}")
    origin = molecule("CH3OH").positions[0, 0]
    assert [round((f.positions[0, 0] - origin) / 0.01) for f in system.frames] == indices


def test_seed_leaves_files_as_they_are(directory: Path) -> None:
    spec = str(directory / "frames.extxyz")
    assert resolve(spec).digest == resolve(spec, seed=7).digest
    assert resolve(spec).digest != resolve(f"{spec}@1").digest


@pytest.mark.parametrize("selection", ["@6", "@-7", "@9:12", "@::0", "@x", "@", "@1:2:3:4", "@1.5"])
def test_selections_that_select_nothing(directory: Path, selection: str) -> None:
    assert "frames.extxyz" in refusal(f"{directory / 'frames.extxyz'}{selection}")


def test_at_sign_in_a_file_name(tmp_path: Path) -> None:
    path = tmp_path / "run@300K.xyz"
    path.write_text("2\n\nH 0 0 0\nO 0 0 1\n3\n\nH 0 0 0\nO 0 0 1\nH 0 1 1\n", encoding="utf-8")
    assert resolve(str(path)).atoms == 2
    assert resolve(f"{path}@1").atoms == 3


@pytest.mark.parametrize("name", ["", "missing.xyz", "missing.xyz@-1", "n" * 5000])
def test_files_that_are_not_there(name: str) -> None:
    assert "does not exist" in refusal(name)


def test_bad_frame_among_good_ones_is_named(tmp_path: Path) -> None:
    path = tmp_path / "some.xyz"
    path.write_text("1\n\nH 0 0 0\n1\n\nH nan 0 0\n", encoding="utf-8")
    assert "frame 1" in refusal(f"{path}@:")
    assert resolve(f"{path}@0").atoms == 1


ALONE, PAIR = "1\n\nH 0 0 0\n", "2\n\nH 0 0 0\nO 0 0 1\n"


def test_frames_without_edges_are_passed_over_and_that_is_said(tmp_path: Path) -> None:
    path = tmp_path / "training.xyz"
    path.write_text(ALONE + "2\n\nH 0 0 0\nO 0 0 9\n" + PAIR + ALONE, encoding="utf-8")
    system = resolve(str(path))
    assert system.atoms == 2 and system.frames[0].positions[1, 2] == 1.0
    note, count = system.notes
    assert str(path) in note and "frame 2 is judged" in note and count == f"system {path}: 1 of 4 frames judged"
    asked = resolve(f"{path}@0")
    assert asked.atoms == 1 and asked.notes == (f"system {path}@0: 1 of 4 frames judged",)  # who asks for it gets it
    assert not resolve(f"{path}@:").notes, "all of them are judged"


def test_no_frame_with_edges_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "isolated.xyz"
    path.write_text(3 * ALONE, encoding="utf-8")
    message = refusal(str(path))
    assert str(path) in message and "any of 3 frames" in message and "@0" in message


def test_the_frame_of_the_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "some.xyz"
    path.write_text(2 * PAIR + "2\n\nH 0 0 0\nO 0 0 0.01\n", encoding="utf-8")
    assert "frame 2: atoms 0 and 1 are closer" in refusal(f"{path}@1:")


CELLS = {
    "axes exchanged": ("0 4 0 4 0 0 0 0 4", "T F T", "b along y"),
    "axes turned round": ("0 4 0 0 0 4 4 0 0", "T T F", "c along z"),
    "a wire along another axis": ("0 0 4 0 4 0 4 0 0", "T F F", "c along z"),
    "no length": ("4 0 0 0 4 0 0 0 0", "T T T", "of no length"),
    "dependent": ("4 0 0 0 4 0 4 4 0", "T T T", "no volume"),
    "nearly dependent": ("4 0 0 0 4 0 4 4 1e-9", "T T T", "no volume"),
    "nearly dependent vectors of a slab": ("4 0 0 4 1e-9 0 0 0 4", "T T F", "no volume"),
    "repeats too soon": ("4 0 0 0 4 0 4 4 0.001", "T T T", "repeats every 0.001 Å"),
    "too skew to search": ("4 0 0 80000 4 0 0 0 4", "T T T", "minkowski_reduce"),
    "periodic vectors nearly along the other axis": ("4 0 0 0 4e-7 4 0 -40 0", "T T F", "bins"),
}


@pytest.mark.parametrize("kind", CELLS)
def test_cells_that_upstream_cannot_search_are_one_line(tmp_path: Path, kind: str) -> None:
    cell, pbc, says = CELLS[kind]
    path = tmp_path / "cell.extxyz"
    path.write_text(PAIR + f'2\nLattice="{cell}" Properties=species:S:1:pos:R:3 pbc="{pbc}"\nO 0 0 0\nH 0.5 0.7 0.4\n', encoding="utf-8")
    message = refusal(f"{path}@:")
    assert str(path) in message and "frame 1" in message and says in message


SOUND_CELLS = {
    "left-handed": ("0 4 0 4 0 0 0 0 4", "T T T"),
    "skew": ("4 0 0 400 4 0 0 0 4", "T T T"),
    "a slab whose third vector is anything": ("4 0 0 0 4 0 4 4 0.001", "T T F"),
    "a slab without a third vector": ("4 0 0 0 4 0 0 0 0", "T T F"),
    "a wire": ("4 0 0 0 0 0 0 0 0", "T F F"),
    "far away": ("4 0 0 0 4 0 0 0 4", "T T T"),
}


@pytest.mark.parametrize("kind", SOUND_CELLS)
def test_odd_cells_that_upstream_can_search_are_taken(tmp_path: Path, kind: str) -> None:
    cell, pbc = SOUND_CELLS[kind]
    at = 999_000.0 if kind == "far away" else 0.0
    path = tmp_path / "cell.extxyz"
    path.write_text(
        f'2\nLattice="{cell}" Properties=species:S:1:pos:R:3 pbc="{pbc}"\nO {at} {at} {at}\nH {at + 0.5} {at + 0.7} {at + 0.4}\n', encoding="utf-8"
    )
    system = resolve(str(path))
    (frame,) = system.frames
    plain = Atoms(frame.numbers, frame.positions, cell=lattice(frame), pbc=frame.pbc)
    assert graph_of(system)["edge_index"].shape[1] == len(neighbor_list("i", plain, R_MAX)) > 2
