"""Recorded calls as a system: graphs as they were given, and their structures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from ase import Atoms

from mpcheck._errors import InputError
from mpcheck.systems.given import evenly
from mpcheck.systems.recorded import Call
from tests.unit.recording.samples import graph, recorded, resolve, small, water, without


def shaken(seed: int) -> Atoms:
    atoms = water()
    atoms.rattle(0.05, seed=seed)
    return atoms


def test_graphs_are_those_that_were_given_in_their_order(tmp_path: Path) -> None:
    """A list in another order, without its first edge: neither is made anew."""
    turned = without(lambda g: torch.arange(g["edge_index"].shape[1] - 1, 0, -1), graph(shaken(1)))
    system = resolve(recorded(tmp_path / "md.capture", turned, graph(shaken(2))))
    assert system.graph is not None
    first = turned["edge_index"].shape[1]
    for name in ("shifts", "unit_shifts"):
        assert torch.equal(system.graph[name][:first], turned[name])
    assert torch.equal(system.graph["edge_index"][:, :first], turned["edge_index"])
    assert torch.equal(system.graph["node_attrs"], torch.cat([turned["node_attrs"], graph(shaken(2))["node_attrs"]]))
    np.testing.assert_array_equal(system.frames[0].positions, shaken(1).positions)
    assert system.frames[0].pbc.all() == shaken(1).pbc.all()
    assert system.digest != resolve(recorded(tmp_path / "other.capture", graph(shaken(1)), graph(shaken(2)))).digest


def test_calls_are_chosen_as_frames_of_a_file_are(tmp_path: Path) -> None:
    path = recorded(tmp_path / "md.capture", *(graph(shaken(seed)) for seed in range(4)))
    assert len(resolve(path).frames) == 4
    for choice, numbers in (("1", [1]), ("-1", [3]), ("1:3", [1, 2]), ("::2", [0, 2])):
        chosen = resolve(f"{path}@{choice}")
        for frame, number in zip(chosen.frames, numbers, strict=True):
            np.testing.assert_array_equal(frame.positions, shaken(number).positions)
    for choice in ("4", "9:", "x"):
        with pytest.raises(InputError):
            resolve(f"{path}@{choice}")


def test_open_structures_are_open_and_slabs_are_slabs(tmp_path: Path) -> None:
    """Upstream's graph of an open axis has a long vector of its own, and no field says that it is open."""
    molecule, slab = water()[:3], water()
    molecule.pbc = False
    slab.pbc = (True, True, False)
    slab.cell[2] = [0.0, 0.0, 30.0]
    system = resolve(recorded(tmp_path / "o.capture", graph(molecule), graph(slab)))
    assert [frame.pbc.tolist() for frame in system.frames] == [[False] * 3, [True, True, False]]


def test_another_model_takes_what_it_knows_and_refuses_the_rest(tmp_path: Path) -> None:
    path = recorded(tmp_path / "md.capture")
    wide = resolve(path, small(elements=["H", "C", "O"], atomic_energies={"H": -1.0, "C": -2.0, "O": -3.0}))
    assert wide.graph is not None and wide.graph["node_attrs"].shape[1] == 3
    assert {tuple(row) for row in wide.graph["node_attrs"].tolist()} == {(1.0, 0.0, 0.0), (0.0, 0.0, 1.0)}
    with pytest.raises(InputError, match="has H, which the model lacks"):
        resolve(path, small(elements=["O"], atomic_energies={"O": -3.0}))
    with pytest.raises(InputError, match=r"head 'Default' is none of the model's \(a, b\)"):
        resolve(path, small(heads=["a", "b"]))


def test_no_edges_at_all_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no call has an edge"):
        resolve(recorded(tmp_path / "none.capture", graph(Atoms("O", [[0.0, 0.0, 0.0]]))))


def test_calls_of_one_batch_are_spread_evenly() -> None:
    calls = [Call(step=i, structures=1, atoms=10, edges=100) for i in range(10)]
    assert evenly(calls, 100, 1000) == list(range(10))
    assert evenly(calls, 50, 1000) == [0, 2, 4, 6, 8]
    assert evenly(calls, 100, 90) == [0]
