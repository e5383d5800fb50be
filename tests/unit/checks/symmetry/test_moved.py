"""Structures that are turned, shifted or in another order."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from ase import Atoms

from mpcheck.adapters.facts.rotation import Turn
from mpcheck.checks.symmetry.action import Structure
from mpcheck.checks.symmetry.group import Shift, Shuffle, Wrap
from mpcheck.checks.symmetry.moved import Whole, has_stress, moved_frame
from mpcheck.formats import FORMATS
from mpcheck.judge.context import Counts

NOWHERE = torch.zeros(3, 3, dtype=torch.float64)
FRAME = Atoms("OH2", [[0, 0, 0], [0.9, 0.1, 0], [-0.3, 0.8, 0.2]], cell=[[5, 0, 0], [1, 6, 0], [0, 0, 7]], pbc=True)
OPEN = Atoms("OH", [[0, 0, 0], [0, 0, 1]])


def whole(*frames: Atoms) -> Whole:
    context: Any = SimpleNamespace(systems={"s": SimpleNamespace(frames=frames)})
    count = sum(map(len, frames))
    cells = torch.tensor(np.concatenate([np.broadcast_to(f.cell.array, (len(f), 3, 3)) for f in frames]))
    return Whole(context, "s", Structure(Counts(count, 99, len(frames)), 3, cells))


def test_a_turn_keeps_distances_and_turns_the_cell_with_the_atoms() -> None:
    moved = moved_frame(FRAME, Turn((0.8, 0.3, -0.4, 0.35)), NOWHERE)
    assert np.allclose(moved.get_all_distances(mic=True), FRAME.get_all_distances(mic=True), atol=1e-12)
    assert moved.get_volume() == pytest.approx(FRAME.get_volume()) and not np.allclose(moved.cell.array, FRAME.cell.array)
    assert np.allclose(moved.get_scaled_positions(wrap=False), FRAME.get_scaled_positions(wrap=False))


def test_an_order_takes_the_elements_along() -> None:
    moved = moved_frame(FRAME, Shuffle(True, False, swap=(0, 2)), NOWHERE)
    assert moved.get_chemical_symbols() == ["H", "H", "O"]
    assert np.array_equal(moved.positions[2], FRAME.positions[0])


def test_shifts_move_every_atom_and_lattice_shifts_by_their_offsets() -> None:
    assert np.allclose(moved_frame(FRAME, Shift((1, 2, 3)), NOWHERE).positions - FRAME.positions, [1, 2, 3])
    offsets = torch.tensor([[5.0, 0, 0], [0, 0, 0], [0, 0, -7.0]], dtype=torch.float64)
    moved = moved_frame(FRAME, Wrap(seed=1), offsets)
    assert np.allclose(moved.positions - FRAME.positions, offsets.numpy())
    assert np.allclose(moved.get_all_distances(mic=True), FRAME.get_all_distances(mic=True))


def test_inversion_is_not_asked_of_a_model_of_proper_rotations() -> None:
    turns = Turn(), Turn(inverted=True), Turn((0.8, 0.3, -0.4, 0.35)), Turn((0.8, 0.3, -0.4, 0.35), inverted=True), Shift((1, 2, 3))
    assert all(map(whole(FRAME).applies, turns))
    assert list(map(replace(whole(FRAME), mirrored=False).applies, turns)) == [True, False, True, False, True]


def test_only_structures_with_a_volume_have_stress() -> None:
    assert has_stress((FRAME,)) and not has_stress((FRAME, OPEN))


def test_atoms_of_a_batch_are_permuted_within_their_structure() -> None:
    order = whole(FRAME, OPEN, FRAME).order(Shuffle(True, False, seed=2))
    assert [sorted(part.tolist()) for part in order.split([3, 2, 3])] == [[0, 1, 2], [3, 4], [5, 6, 7]]


def test_lattice_shifts_need_a_lattice() -> None:
    assert whole(FRAME).applies(Wrap(seed=1)) and not whole(OPEN).applies(Wrap(seed=1)) and whole(OPEN).applies(Shift((1, 0, 0)))


def test_a_far_shift_is_not_linear_in_a_coarse_format() -> None:
    made, shift, near = whole(OPEN), Shift((100.0, 0, 0)), Shift((0.1, 0, 0))
    for element, x in ((shift, 100.0), (near, 0.1)):
        made.made[element] = {
            "positions": torch.tensor([[x, 0, 0], [x, 0, 1.0]], dtype=torch.float64), "edge_index": torch.tensor([[0], [1]]),
            "shifts": torch.zeros(1, 3, dtype=torch.float64),
        }  # fmt: skip
    assert made.linear(shift, FORMATS["float64"]) and not made.linear(shift, FORMATS["bfloat16"]) and made.linear(near, FORMATS["bfloat16"])
    assert made.linear(Turn((1, 0, 0, 0)), FORMATS["bfloat16"])
