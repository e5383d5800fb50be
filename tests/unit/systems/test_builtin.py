"""Built-in systems are what they promise, for every model and seed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpcheck._errors import LONGEST, InputError
from mpcheck.systems import BUILTIN, DEFAULT_SYSTEMS, available_systems
from tests.unit.systems.samples import HCO, graph_of, refusal, resolve, shortest

EVERY = [f"builtin:{name}" for name in BUILTIN]


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
