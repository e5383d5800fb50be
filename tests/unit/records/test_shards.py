"""Work is divided alike by every process, and rows find their places again."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpcheck._errors import InputError
from mpcheck.records.shards import Shard, by_first_seen, divide, parse_shard, places, runs

GROUPS = st.lists(st.sampled_from([None, *"abcdefg"]), max_size=60)


@pytest.mark.parametrize("text", ["", "1", "0/3", "4/3", "1/0", "-1/3", "1/3/5", "a/b", "1 /3", "1/3\n", "１/３", "1.0/3", "1/99999999"])
def test_bad_shards(text: str) -> None:
    with pytest.raises(InputError, match="expected K/N") as refusal:
        parse_shard(text)
    assert "\n" not in str(refusal.value)


def test_a_shard_reads_as_it_is_written() -> None:
    assert parse_shard("2/3") == Shard(2, 3)
    assert str(parse_shard("002/3")) == "2/3"


@given(GROUPS, st.integers(1, 7))
@settings(max_examples=200, deadline=None)
def test_a_division(groups: list[str | None], of: int) -> None:
    sizes = Counter(g for g in groups if g is not None)
    if of > len(sizes):
        with pytest.raises(InputError, match=f"at most {len(sizes)}"):
            divide(groups, of)
        return
    parts = divide(groups, of)
    assert divide(groups, of) == parts
    assert len(parts) == len(groups)
    assert set(parts) - {1} == set(range(2, of + 1))
    where = {g: {p for p, other in zip(parts, groups, strict=True) if other == g} for g in sizes}
    assert all(len(found) == 1 for found in where.values())
    assert all(p == 1 for p, g in zip(parts, groups, strict=True) if g is None)
    loads = Counter(p for p, g in zip(parts, groups, strict=True) if g is not None)
    assert len(loads) == of
    assert max(loads.values()) - min(loads.values()) <= max(sizes.values())


def test_heavy_groups_count_for_what_they_take() -> None:
    groups = [name for name in "abcde" for _ in range(10)]
    weights = [{"a": 9.0, "b": 4.0}.get(name, 1.5) for name in groups]
    where = dict(zip(groups, divide(groups, 2, weights), strict=True))
    assert where["a"] != where["b"] and {where[name] for name in "cde"} == {where["b"]}, "90 against 40 and three times 15"
    assert dict(zip(groups, divide(groups, 2), strict=True))["c"] == 1, "alike, they take turns"
    with pytest.raises(ValueError, match="zip"):
        divide(groups, 2, weights[1:])


@given(GROUPS, st.integers(1, 5), st.data())
@settings(max_examples=100, deadline=None)
def test_no_part_has_much_more_than_another_but_one_group(groups: list[str | None], of: int, data: st.DataObject) -> None:
    weights = data.draw(st.lists(st.floats(0.5, 100), min_size=len(groups), max_size=len(groups)))
    taken = {g: sum(w for w, other in zip(weights, groups, strict=True) if other == g) for g in groups if g is not None}
    if of > len(taken):
        return
    loads = Counter[int]()
    for part, group, weight in zip(divide(groups, of, weights), groups, weights, strict=True):
        if group is not None:
            loads[part] += weight  # type: ignore[assignment]
    assert len(loads) == of and max(loads.values()) - min(loads.values()) <= max(taken.values()) + 1e-6


def test_equal_groups_are_shared_out_evenly() -> None:
    groups = [f"system/{n // 20}" for n in range(37 * 20)]
    assert sorted(Counter(divide(groups, 4)).values()) == [180, 180, 180, 200]


@given(st.lists(st.integers(0, 50), max_size=40))
def test_places_come_back(found: list[int]) -> None:
    assert places(runs(found), len(found), "x") == found
    assert places(runs(sorted(found)), len(found), "x") == sorted(found)


def test_contiguous_places_are_short() -> None:
    assert runs([*range(3, 900), 7, 7, 7]) == ["3-899:1", "7-7:3"]


@pytest.mark.parametrize(
    "texts", [None, "0-2:1", ["0-2"], [3], ["2-0:1"], ["0-2:0"], ["0-3:1"], ["0-1:1"], ["0-2:1", "0-0:1"], ["0-999999999:999999999"]]
)
def test_wrong_places(texts: Any) -> None:
    with pytest.raises(InputError, match="field: expected the places of 3 rows"):
        places(texts, 3, "field")


def test_rows_of_one_key_come_together() -> None:
    assert by_first_seen(["b1", "a1", "b2", "c1", "a2"], lambda row: row[0]) == ["b1", "b2", "a1", "a2", "c1"]
