"""Permutations are permutations, lattice shifts whole cells, and both the same whenever they are asked."""

from __future__ import annotations

import pytest
import torch

from mpcheck.checks.symmetry.group import Shift, Shuffle, Wrap


@pytest.mark.parametrize("count", [2, 5, 40])
@pytest.mark.parametrize("shuffle", [Shuffle(True, False, seed=3), Shuffle(True, True, swap=(1, 7))], ids=lambda s: s.text)
def test_an_order_is_a_permutation_and_repeats(shuffle: Shuffle, count: int) -> None:
    order = shuffle.order(count, True)
    assert order.sort().values.tolist() == list(range(count)) and torch.equal(order, shuffle.order(count, True))


def test_a_swap_moves_two_modulo_their_number_and_nothing_where_it_is_off() -> None:
    assert Shuffle(True, False, swap=(1, 7)).order(5, True).tolist() == [0, 2, 1, 3, 4]
    assert Shuffle(True, False, swap=(1, 7)).order(5, False).tolist() == [0, 1, 2, 3, 4]
    assert Shuffle(True, True, seed=3).order(1, True).tolist() == [0]


def test_one_atom_or_all_move_by_whole_cells() -> None:
    one = Wrap(atom=6, cells=(1, 0, -2)).counts(4)
    assert one[2].tolist() == [1.0, 0.0, -2.0] and float(one.abs().sum()) == 3.0
    every = Wrap(seed=1).counts(200)
    assert set(every.flatten().tolist()) == {-2.0, -1.0, 0.0, 1.0, 2.0} and torch.equal(every, Wrap(seed=1).counts(200))
    assert not torch.equal(every, Wrap(seed=2).counts(200))


def test_elements_say_what_they_are() -> None:
    assert Shuffle(True, True, swap=(0, 1)).text == "permutation of atoms and edges (swap of 0 and 1)"
    assert Shift((0.5, 0, -2)).text == "translation by [0.5, 0, -2] Å"
    assert Wrap(atom=3, cells=(1, 0, 0)).text == "lattice shift of atom 3 by [1, 0, 0]"
