"""Structures: built-in ones are what they promise, files are read or refused with one line that names them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.io import write
from ase.neighborlist import neighbor_list
from hypothesis import given, settings
from hypothesis import strategies as st

from mpcheck._errors import InputError
from mpcheck.adapters.graph import Graph, make_graph
from mpcheck.systems import BUILTIN, DEFAULT_SYSTEMS, System, available_systems, resolve_system

HCO = ["H", "C", "O"]
R_MAX = 4.5
EVERY = [f"builtin:{name}" for name in BUILTIN]


def resolve(spec: str, elements: list[str] = HCO, r_max: float = R_MAX, seed: int = 0) -> System:
    return resolve_system(spec, elements, r_max, seed)


def graph_of(system: System, elements: list[str] = HCO) -> Graph:
    return make_graph(system.frames, elements, R_MAX)


def refusal(spec: str, elements: list[str] = HCO) -> str:
    with pytest.raises(InputError) as caught:
        resolve(spec, elements)
    message = str(caught.value)
    assert "\n" not in message
    return message


def shortest(frame: Atoms) -> float:
    return float(np.min(neighbor_list("d", frame, 2.0), initial=np.inf))


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("systems")
    frames = []
    for i in range(6):
        frame = molecule("CH3OH")
        frame.positions += 0.01 * i
        frames.append(frame)
    write(root / "frames.extxyz", frames)
    write(root / "crystal.cif", bulk("C", "diamond", a=3.567, cubic=True))
    return root


@pytest.mark.parametrize("spec", EVERY)
def test_builtin_systems(spec: str) -> None:
    system, again, other = resolve(spec), resolve(spec), resolve(spec, seed=1)
    assert system.digest == again.digest
    assert system.digest != other.digest
    assert [len(f) for f in system.frames] == [len(f) for f in other.frames]
    assert system.atoms == sum(len(f) for f in system.frames) > 0
    for frame in (*system.frames, *other.frames):
        assert set(frame.get_chemical_symbols()) <= set(HCO)
        assert np.isfinite(frame.positions).all()
        assert shortest(frame) > 0.5
    graph = graph_of(system)
    assert graph["node_attrs"].shape == (system.atoms, 3)
    assert len(graph["ptr"]) == len(system.frames) + 1


@settings(max_examples=40, deadline=None)
@given(spec=st.sampled_from(["builtin:slab", "builtin:dense", "builtin:batch", "builtin:solvents", "builtin:water:5"]), seed=st.integers(0, 2**40))
def test_no_seed_makes_atoms_coincide(spec: str, seed: int) -> None:
    assert min(shortest(frame) for frame in resolve(spec, seed=seed).frames) > 0.4


def test_between_them_the_defaults_have_every_element_and_odd_counts() -> None:
    assert available_systems(HCO) == list(DEFAULT_SYSTEMS)
    systems = [resolve(spec) for spec in DEFAULT_SYSTEMS]
    assert {s for system in systems for f in system.frames for s in f.get_chemical_symbols()} == set(HCO)
    assert any(system.atoms % 2 for system in systems)


@pytest.mark.parametrize(
    ("spec", "atoms"), [("builtin:water:4", 12), ("builtin:water", 33), ("builtin:diamond:2", 64), ("builtin:carbon-cluster:5", 5)]
)
def test_sizes(spec: str, atoms: int) -> None:
    assert resolve(spec).atoms == atoms


def test_dense_has_more_neighbours_than_bfloat16_counts() -> None:
    counts = graph_of(resolve("builtin:dense"))["edge_index"][1].bincount()
    assert int(counts.min()) > 256


def test_isolated_atoms_have_no_neighbours() -> None:
    system = resolve("builtin:isolated")
    assert graph_of(system)["edge_index"].shape == (2, 0)
    assert sorted(f.get_chemical_formula() for f in system.frames) == ["C", "H", "O"]


def test_slab_is_periodic_in_two_directions() -> None:
    (frame,) = resolve("builtin:slab").frames
    assert frame.pbc.tolist() == [True, True, False]
    shifts = graph_of(resolve("builtin:slab"))["unit_shifts"]
    assert (shifts[:, :2] != 0).any()
    assert (shifts[:, 2] == 0).all()


def test_batch_has_graphs_of_unequal_size() -> None:
    system = resolve("builtin:batch")
    sizes = [len(f) for f in system.frames]
    assert len(set(sizes)) == len(sizes) == 5
    assert {bool(f.pbc.any()) for f in system.frames} == {True, False}
    assert graph_of(system)["ptr"].diff().tolist() == sizes


@pytest.mark.parametrize("elements", [["Si"], ["Cu", "Au"], ["H"], ["Li", "F", "U"]])
def test_other_elements_get_systems_that_adapt(elements: list[str]) -> None:
    names = available_systems(elements)
    assert names == ["builtin:slab", "builtin:dense"]
    for name in [*names, "builtin:batch", "builtin:isolated"]:
        system = resolve(name, elements)
        assert {s for f in system.frames for s in f.get_chemical_symbols()} == set(elements)
        assert min(shortest(f) for f in system.frames) > 0.4
    counts = graph_of(resolve("builtin:dense", elements), elements)["edge_index"][1].bincount()
    assert int(counts.min()) > 256


@pytest.mark.parametrize(("spec", "missing"), [("builtin:water", "H, O"), ("builtin:solvents", "C, H, O"), ("builtin:diamond", "C")])
def test_missing_elements_are_named(spec: str, missing: str) -> None:
    message = refusal(spec, ["Si", "Ge"])
    assert f"{spec} needs {missing}," in message
    assert "builtin:slab" in message


@pytest.mark.parametrize("spec", ["builtin:", "builtin:nope", "builtin:water:0", "builtin:water:-1", "builtin:water:x", "builtin:water:1:2", "builtin:water:10001", "builtin:water:" + "9" * 5000, "builtin:carbon-cluster:9999", "builtin:diamond:10000", "builtin:slab:10000", "builtin:dense:10000"])  # fmt: skip  # noqa: E501
def test_bad_builtin_names_and_sizes(spec: str) -> None:
    assert spec in refusal(spec)


def test_negative_seed() -> None:
    with pytest.raises(InputError, match="seed -1"):
        resolve("builtin:water", seed=-1)


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


def test_cif(directory: Path) -> None:
    (frame,) = resolve(str(directory / "crystal.cif")).frames
    assert frame.get_chemical_formula() == "C8"
    assert frame.pbc.all()


@pytest.mark.parametrize("selection", ["@6", "@-7", "@9:12", "@::0", "@x", "@", "@1:2:3:4", "@1.5"])
def test_selections_that_select_nothing(directory: Path, selection: str) -> None:
    assert "frames.extxyz" in refusal(f"{directory / 'frames.extxyz'}{selection}")


def test_at_sign_in_a_file_name(tmp_path: Path) -> None:
    path = tmp_path / "run@300K.xyz"
    path.write_text("1\n\nH 0 0 0\n2\n\nH 0 0 0\nO 0 0 1\n", encoding="utf-8")
    assert resolve(str(path)).atoms == 1
    assert resolve(f"{path}@1").atoms == 2


@pytest.mark.parametrize("name", ["", "missing.xyz", "missing.xyz@-1", "n" * 5000, "/"])
def test_files_that_are_not_there(name: str) -> None:
    assert "does not exist" in refusal(name)


CONTENTS = {
    "nan": ("2\n\nH 0 0 0\nO 0 0 nan\n", "position of atom 1 is not a finite number"),
    "infinite": ("1\n\nH inf 0 0\n", "position of atom 0 is not a finite number"),
    "absurd position": ("2\n\nO 0 0 0\nH 1e300 0 0\n", "is longer than 1e+06 Å"),
    "absurd cell": ('1\nLattice="1e9 0 0 0 4 0 0 0 4" pbc="T T T"\nC 0 0 0\n', "is longer than 1e+06 Å"),
    "coincident": ("3\n\nO 0 0 0\nH 0 0 1\nH 0 0 1.05\n", "atoms 1 and 2 are closer than"),
    "images": ('1\nLattice="4 0 0 0 4 0 0 0 0.05" pbc="T T T"\nC 0 0 0\n', "atoms 0 and 0 are closer than"),
    "foreign": ("2\n\nSi 0 0 0\nFe 0 0 2\n", "has Si, Fe, which the model lacks"),
    "unknown": ("1\n\nQq 0 0 0\n", "Qq"),
    "nameless": ("1\n\nX 0 0 0\n", "without an element"),
    "no cell": ('1\npbc="T T T"\nC 0 0 0\n', "periodic along a cell vector of no length"),
    "flat cell": ('1\nLattice="4 0 0 4 0 0 0 0 4" pbc="T T T"\nC 0 0 0\n', "its cell has no volume"),
    "nan cell": ('1\nLattice="nan 0 0 0 4 0 0 0 4" pbc="T T T"\nC 0 0 0\n', "cell is not finite"),
    "no atoms": ("0\n\n", "has no atoms"),
    "truncated": ("3\n\nO 0 0 0\nH 0 0 1\n", "cannot be read"),
    "cut line": ("2\n\nO 0 0 0\nH 0 0\n", "cannot be read"),
    "empty": ("", "cannot be read"),
    "prose": ("These are no atoms.\n", "cannot be read"),
}


@pytest.mark.parametrize("kind", CONTENTS)
def test_bad_files(tmp_path: Path, kind: str) -> None:
    content, reason = CONTENTS[kind]
    path = tmp_path / "bad.xyz"
    path.write_text(content, encoding="utf-8")
    message = refusal(str(path))
    assert str(path) in message
    assert reason in message


def test_bad_frame_among_good_ones_is_named(tmp_path: Path) -> None:
    path = tmp_path / "some.xyz"
    path.write_text("1\n\nH 0 0 0\n1\n\nH nan 0 0\n", encoding="utf-8")
    assert "frame 1" in refusal(f"{path}@:")
    assert resolve(f"{path}@0").atoms == 1


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
