"""The built-in set and users' files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.io import write

from mpcheck._errors import InputError
from mpcheck._files.io import sha256_file
from mpcheck.adapters.training.data import average_energies, fitted
from mpcheck.learning import solvents as built_in
from mpcheck.learning.files import read_set
from mpcheck.learning.labels import SPLITS
from mpcheck.learning.recipe import SIZE, architecture

DATA = Path(built_in.__file__).parents[1] / "data"


def test_the_card_is_of_the_data() -> None:
    card, data = (DATA / "solvents.md").read_text(encoding="utf-8"), built_in.solvents()
    assert sha256_file(DATA / "solvents.safetensors") in card
    sizes = [len(own) for _, own in data.splits]
    rows = [line.split("|")[2:5] for line in card.splitlines() if line.startswith(("| molecule", "| pair", "| cluster"))]
    assert np.array(rows, dtype=int).sum(axis=0).tolist() == sizes
    assert (DATA / "solvents.safetensors").stat().st_size < 300_000


def test_labels_are_those_of_molecules() -> None:
    data = built_in.solvents()
    assert data.elements == ["H", "C", "O"] and set(data.alone) == {"H", "C", "O"}
    for _, own in data.splits:
        for one in own:
            bound = one.energy - sum(data.alone[s] for s in one.atoms.get_chemical_symbols())
            assert -8 < bound / len(one.atoms) < -3, "eV an atom: bonds"
            assert np.abs(one.forces).max() < 20 and np.abs(one.forces.sum(axis=0)).max() < 1e-3


def test_no_structure_stands_in_two_splits() -> None:
    data = built_in.solvents()
    places = {split: {one.atoms.positions.tobytes() for one in own} for split, own in data.splits}
    assert all(not places[a] & places[b] for a in SPLITS for b in SPLITS if a != b)


def test_what_is_fitted_is_of_the_data() -> None:
    data = built_in.solvents()
    arch, forces = architecture(data), np.concatenate([one.forces for one in data.train])
    assert isinstance(arch.atomic_inter_scale, float)
    assert arch.atomic_inter_scale == pytest.approx(float(np.sqrt((forces**2).mean())), rel=1e-3)
    known = average_energies(data.train, data.elements)
    assert abs(fitted(data.train, known, SIZE["r_max"])["atomic_inter_shift"]) < 0.05, "nothing is left of what was fitted"


def frames(count: int = 16, **info: object) -> list[Atoms]:
    rng, made = np.random.default_rng(0), []
    for _ in range(count):
        atoms = Atoms("OH", rng.normal(size=(2, 3)))
        atoms.info.update(REF_energy=-100.0, **info)
        atoms.arrays["REF_forces"] = rng.normal(size=(2, 3))
        made.append(atoms)
    return made


def test_a_file_is_split_by_turns_and_isolated_atoms_are_energies(tmp_path: Path) -> None:
    alone = Atoms("H", info={"REF_energy": -13.0, "config_type": "IsolatedAtom"})
    alone.arrays["REF_forces"] = np.zeros((1, 3))
    write(tmp_path / "x.xyz", [alone, *frames(17)], format="extxyz")
    data = read_set(tmp_path / "x.xyz")
    assert [len(own) for _, own in data.splits] == [13, 2, 2] and data.alone == {"H": -13.0}
    assert data.digest == read_set(tmp_path / "x.xyz").digest != built_in.solvents().digest


def test_a_file_may_say_its_splits(tmp_path: Path) -> None:
    write(tmp_path / "x.xyz", [*frames(3, split="train"), *frames(2, split="valid"), *frames(2, split="test")], format="extxyz")
    assert [len(own) for _, own in read_set(tmp_path / "x.xyz").splits] == [3, 2, 2]


def test_ases_own_names_are_found(tmp_path: Path) -> None:
    made = frames()
    for atoms in made:
        atoms.info["energy"] = atoms.info.pop("REF_energy")
        atoms.arrays["forces"] = atoms.arrays.pop("REF_forces")
    write(tmp_path / "x.xyz", made, format="extxyz")
    assert read_set(tmp_path / "x.xyz", "energy", "forces").train[0].energy == -100.0


def test_no_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"data file .*no\.xyz does not exist; .*--data"):
        read_set(tmp_path / "no.xyz")


def changed(change: Callable[[Atoms], object]) -> list[Atoms]:
    made = frames()
    change(made[3])
    return made


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (changed(lambda a: a.info.pop("REF_energy")), "frame 3 has no 'REF_energy'.*--energy-key"),
        (changed(lambda a: a.arrays.pop("REF_forces")), "frame 3 has no 'REF_forces'.*--forces-key"),
        (changed(lambda a: a.info.update(REF_energy=float("nan"))), "frame 3: a label is no number"),
        (changed(lambda a: a.info.update(REF_energy="cold")), "frame 3: REF_energy and REF_forces must be numbers"),
        (changed(lambda a: a.arrays.update(REF_forces=np.full((2, 3), 1e4))), "frame 3: .*a force is above 1000"),
        (changed(lambda a: a.arrays.update(REF_forces=np.zeros(2))), "shape"),
        (changed(lambda a: a.info.update(split="train")), "no split, others have"),
        (frames(16, split="trian"), "split is 'trian'; give train, validation or test"),
        (frames(4), "structures for validation, at least 2"),
    ],
)
def test_what_cannot_be_learned_from_is_refused_in_a_line(made: list[Atoms], expected: str, tmp_path: Path) -> None:
    write(tmp_path / "x.xyz", made, format="extxyz")
    with pytest.raises(InputError, match=expected) as refused:
        read_set(tmp_path / "x.xyz")
    assert "\n" not in str(refused.value) and "x.xyz" in str(refused.value)
