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

from mpcheck._errors import LONGEST, InputError
from mpcheck.adapters.graph import Graph, make_graph
from mpcheck.systems import BUILTIN, DEFAULT_SYSTEMS, System, available_systems, resolve_system
from mpcheck.systems.spacing import coincident, edges

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
    message = refusal(spec)
    if len(spec) <= LONGEST:
        assert spec in message
    else:  # a long line loses its middle only
        assert message.startswith(f"system {spec[:200]}") and "9 … 9" in message and message.endswith("must be an integer from 1 to 10000")


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


@pytest.mark.parametrize("name", ["", "missing.xyz", "missing.xyz@-1", "n" * 5000])
def test_files_that_are_not_there(name: str) -> None:
    assert "does not exist" in refusal(name)


CONTENTS = {
    "nan": ("2\n\nH 0 0 0\nO 0 0 nan\n", "position of atom 1 is not a finite number"),
    "infinite": ("1\n\nH inf 0 0\n", "position of atom 0 is not a finite number"),
    "absurd position": ("2\n\nO 0 0 0\nH 1e300 0 0\n", "is longer than 1e+06 Å"),
    "absurd cell": ('1\nLattice="1e9 0 0 0 4 0 0 0 4" pbc="T T T"\nC 0 0 0\n', "is longer than 1e+06 Å"),
    "coincident": ("3\n\nO 0 0 0\nH 0 0 1\nH 0 0 1.05\n", "atoms 1 and 2 are closer than"),
    "images": ('1\nLattice="4 0 0 0 4 0 0 0 0.05" pbc="T T T"\nC 0 0 0\n', "its cell is 0.05 Å high"),
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
    "nameless": ("1\n\nX 0 0 0\n", "without an element"),
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
    path.write_text("".join(f"1\n\nH {i} 0 0\n" for i in range(7)), encoding="utf-8")
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


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_edges_and_coincident_atoms_are_those_of_a_neighbour_list(data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    pbc = data.draw(st.tuples(st.booleans(), st.booleans(), st.booleans()))
    cell = np.diag(rng.uniform(1.5, 6.0, 3)) + rng.uniform(-1.0, 1.0, (3, 3)) * data.draw(st.sampled_from([0.0, 0.3]))
    frame = Atoms(f"H{data.draw(st.integers(1, 12))}", cell=cell, pbc=pbc)
    frame.positions = rng.uniform(-3.0, 9.0, (len(frame), 3))
    assert edges(frame, 3.0) == len(neighbor_list("i", frame, 3.0))
    close = data.draw(st.sampled_from([0.1, 0.5, 1.0]))
    expected = {(min(i, j), max(i, j)) for i, j in zip(*neighbor_list("ij", frame, close), strict=True)}
    found = coincident(frame, close)
    assert found in expected if expected else found is None


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
