"""Faults confined to some rows: where the sample's rows are, and what is found of a fault that is in it, or is not."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import pytest
import torch

from mpcheck._errors import InputError
from mpcheck._names import ALL, SAMPLE
from mpcheck.checks.precision import CellKey
from mpcheck.sessions.run import Options, Session
from tests.faults.curves.sampling import BY_NUMBER, OF_A_KIND, SCATTERED, Effort, Judged, Places, Sampled, measure
from tests.faults.curves.sampling_records import Confined, Row, read_confined, write_confined
from tests.faults.curves.sampling_search import half, smallest
from tests.faults.curves.sampling_table import beside, draw, markdown, share_of
from tests.faults.curves.sampling_whole import Whole

SYSTEM = "builtin:diamond:3"
"""15,000 edges, of which blocks see half."""
TENSOR, SUM = "radial_embedding", "interactions.0.scatter"


def made(rows: str, cache: Path) -> Session:
    return Session(Options(systems=(SYSTEM,), formats=("float32",), backends=("e3nn",), cache=cache, rows=rows))


@pytest.fixture(scope="module")
def every(cache: Path) -> Session:
    return made(ALL, cache)


@pytest.fixture(scope="module")
def some(cache: Path) -> Session:
    return made(SAMPLE, cache)


def key(block: str) -> CellKey:
    return CellKey(SYSTEM, block, "e3nn", "float32", "forward")


@pytest.mark.parametrize("wanted", [0.3, 1.0, 7.77, 900.0])
@pytest.mark.parametrize("near", [0.1, 1.0, 50.0, math.inf])
def test_the_smallest_size_is_found_from_wherever_the_search_begins(wanted: float, near: float) -> None:
    asked: list[float] = []
    found = smallest(lambda size: not asked.append(size) and size >= wanted, near)  # type: ignore[func-returns-value]
    assert wanted <= found < 1.05 * wanted and len(asked) < 20


def test_what_is_never_seen_has_no_size() -> None:
    assert smallest(lambda size: False, 3.0) == math.inf
    assert half([math.inf, 1.0, math.inf]) is None and half([2.0, math.inf, 1.0]) == 2.0
    assert half([1.0, math.inf]) is None, "half of them is one of two, and the next is never seen"


@pytest.mark.parametrize("block", [TENSOR, SUM])
def test_rows_of_the_sample_are_those_of_the_whole(block: str, every: Session, some: Session) -> None:
    full, sampled = Judged(every, key(block), None), Sampled(some, SYSTEM)
    part = Judged(some, key(block), sampled)
    assert 0 < len(part.rows) < len(full.value) and torch.unique(part.rows).numel() == len(part.rows)
    assert torch.allclose(full.reference.values[full.name][part.rows], part.reference.values[part.name], rtol=1e-9, atol=1e-12)


def test_a_fault_is_seen_where_the_sample_has_its_row(every: Session, some: Session) -> None:
    full, sampled = Judged(every, key(TENSOR), None), Sampled(some, SYSTEM)
    part = Judged(some, key(TENSOR), sampled)
    own = full.scale()[part.rows[:1]]
    none, first = torch.zeros(0, dtype=torch.int64), torch.zeros(1, dtype=torch.int64)
    assert not part.red(none, own[:0]) and not part.red(first, 0 * own) and not full.red(part.rows[:1], 0 * own)
    assert part.red(first, 3000 * own) and full.red(part.rows[:1], 3000 * own)


def test_places_are_of_the_share_and_kind_that_was_asked_for(every: Session) -> None:
    places, edges = Places(every, SYSTEM), every.graph(SYSTEM)["edge_index"].shape[1]
    for share, kind, seed in itertools.product((0.0, 1e-3, 0.1), (SCATTERED, OF_A_KIND, BY_NUMBER), range(3)):
        rows = places.of(edges, share, kind, seed)
        assert len(rows) == torch.unique(rows).numel() == max(1, round(share * edges)) and 0 <= int(rows.min()) <= int(rows.max()) < edges
        assert len(set(places.kinds[edges][rows].tolist())) == 1 or kind != OF_A_KIND
        assert int(rows.max() - rows.min()) == len(rows) - 1 or kind != BY_NUMBER


@pytest.mark.parametrize("block", [TENSOR, SUM])
def test_the_whole_model_sees_rows_that_are_wrong_by_their_number(block: str, every: Session) -> None:
    whole, full = Whole(every, SYSTEM, "e3nn", "float32"), Judged(every, key(block), None)
    rows = torch.tensor([len(full.value) - 1])
    wrong = 4000 * full.scale()[rows]
    assert not whole.red(whole.sound)
    faulty = whole.faulty(block, rows, wrong)
    assert whole.red(faulty) and whole.red(whole.between(faulty, 1.0)) and not whole.red(whole.between(faulty, 0.0))
    found = whole.smallest(block, rows, wrong / 4000)
    assert 1 < found < 4000 and whole.red(whole.faulty(block, rows, 2 * found * wrong / 4000))
    again = whole.faulty(block, rows, 0 * wrong)
    assert not whole.red(again) and torch.equal(again[0].forces, whole.sound[0].forces), "it is taken out again"


def test_a_measurement_is_a_table_and_a_picture(tmp_path: Path, every: Session, some: Session) -> None:
    kept: list[Confined] = []
    found = measure(every, some, Effort(1, 3, 1), 0, lambda text: None, (TENSOR,), kept.append)
    assert len(kept) == len(found.rows) == 4 and [row.share for row in found.rows] == [0.0, 1e-3, 1e-2, 0.1]
    large = found.rows[-1]
    assert large.met == large.met_of_a_kind == 1.0 and large.every and large.scattered and large.of_a_kind and large.sampled < large.rows
    assert large.asked == [1, 3, 3, 1] and large.by_number
    assert large.at_full and large.at_full < 1.1 * large.every and found.rows[0].at_full and found.rows[0].by_number_at_full
    write_confined(tmp_path / "rows.json", found)
    assert read_confined(tmp_path / "rows.json") == found
    assert markdown(found).count("\n| `radial_embedding` | float32 |") == 4
    assert len(draw(found).axes) == 1


def test_a_broken_record_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "rows.json").write_text('{"schema_version": 9}')
    with pytest.raises(InputError, match="--only rows") as caught:
        read_confined(tmp_path / "rows.json")
    assert "\n" not in str(caught.value)


def test_a_size_is_told_beside_that_of_every_row() -> None:
    row = Row(
        block="b", format="float32", share=0.1, rows=10, sampled=5, every=2.0, scattered=3.0, of_a_kind=None, met=0.5, met_of_a_kind=0.0,
        by_number=1.0, at_full=1.0, by_number_at_full=1.0, asked=[1, 1, 1, 1],
    )  # fmt: skip
    assert beside(row, row.scattered, row.met) == "3 (+50 %), met 50 %" and beside(row, row.of_a_kind, 0.0) == "–, met 0 %"
    assert beside(row, 2468.0) == "2,500 (× 1,200)" and beside(row.model_copy(update={"every": None}), 7.0) == "7"
    assert beside(row, row.by_number) == "1 (−50 %)" and share_of(row) == "10 %" and share_of(row.model_copy(update={"share": 0.0})) == "one"
