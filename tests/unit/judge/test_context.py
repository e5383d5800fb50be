"""Names of rows, and ids of pieces of work."""

from __future__ import annotations

import pytest

from mpcheck.judge.context import Counts, Key


@pytest.mark.parametrize(("extent", "name"), [(12, "edge"), (5, "atom"), (2, "graph"), (7, "row"), (0, "row")])
def test_an_extent_names_what_it_counts(extent: int, name: str) -> None:
    assert Counts(atoms=5, edges=12, graphs=2).rows(extent) == name


def test_of_equal_extents_the_finer_thing_is_named() -> None:
    assert Counts(atoms=1, edges=0, graphs=1).rows(1) == "atom"
    assert Counts(atoms=6, edges=6, graphs=1).rows(6) == "edge"


def test_an_id_leaves_out_what_does_not_apply_and_tells_keys_apart() -> None:
    full = Key("layout", "b", "cueq", "float32", "s", "inputs")
    assert full.id == "layout-s-b-cueq-float32-inputs"
    assert Key("dtypes", "process").id == "dtypes-process"
