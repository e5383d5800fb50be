"""Names of rows, ids of pieces of work, and the seconds that these took."""

from __future__ import annotations

import time

import pytest

from mpcheck.judge.context import Counts, Key, timed
from mpcheck.records.record import Record


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


def test_records_share_out_the_seconds_that_their_work_took() -> None:
    @timed
    def run(number: int) -> list[Record]:
        time.sleep(0.02)
        return [Record(check="layout", verdict="pass", reason=str(i)) for i in range(number)]

    records = run(4)
    assert [r.reason for r in records] == ["0", "1", "2", "3"] and len({r.seconds for r in records}) == 1
    assert 0.005 <= records[0].seconds < 0.02
