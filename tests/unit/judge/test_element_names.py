"""Elements in words, and the groups that are judged apart."""

from __future__ import annotations

from mpcheck.adapters.slots import PLAIN
from mpcheck.judge.element_names import ElementNames, place

GROUPS = [("2x0e", slice(0, 2)), ("1x1o", slice(2, 5))]


def test_groups_are_of_the_last_axis_or_of_the_flat_tensor() -> None:
    assert ElementNames(PLAIN, GROUPS, "atom").parts() == [(..., slice(0, 2)), (..., slice(2, 5))]
    assert ElementNames(PLAIN, GROUPS, "weight", flat=True).parts() == [slice(0, 2), slice(2, 5)]
    assert ElementNames(PLAIN, GROUPS[:1], "atom").parts() == [...]


def test_an_element_is_named_by_its_row_irrep_and_component() -> None:
    assert place(8, [2, 5], ElementNames(PLAIN, GROUPS, "atom")) == "atom 1, 1x1o, channel 0, component 1"
    assert place(3, [5], ElementNames(PLAIN, GROUPS, "weight", flat=True)) == "weight 3 (1x1o)"
    assert place(0, [], ElementNames(PLAIN, [], "scalar")) == "scalar"
