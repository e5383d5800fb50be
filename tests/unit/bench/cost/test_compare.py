"""Two fingerprints compared: what is worse, what is better, what is a note."""

from __future__ import annotations

from typing import Any

import pytest

from mpcheck._errors import InputError
from mpcheck.bench.cost.compare import CostChange, compare_fingerprints, named
from mpcheck.bench.figures import Fingerprint

BASE = Fingerprint(
    operations={"mul": 14, "mm": 2, "_to_copy": 1}, launches=17, multiply_adds=1000, bytes_moved=1_200_000, casts={"float64->float32": 1},
    peak_bytes=4096, graph_breaks=1, syncs={"nonzero": 1},
)  # fmt: skip


def changed(**fields: Any) -> CostChange:
    return compare_fingerprints(BASE, BASE.model_copy(update=fields))


def test_equal_fingerprints_differ_in_nothing() -> None:
    assert changed() == CostChange() and changed().lines() == []


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"operations": {"mul": 15, "mm": 2, "_to_copy": 2}, "launches": 19}, "2 more launches: _to_copy 1 -> 2, mul 14 -> 15"),
        ({"casts": {"float64->float32": 1, "float32->float64": 1}}, "1 more cast float32->float64"),
        ({"syncs": {"nonzero": 3}}, "2 more host-device synchronisations: nonzero"),
        ({"graph_breaks": 2}, "1 more graph break: 1 -> 2"),
        ({"bytes_moved": 1_340_000}, "bytes moved 1.2 MB -> 1.34 MB (+11.7 %): the same operations on tensors of other sizes or types"),
        ({"bytes_moved": 1_200_004}, "bytes moved 1,200,000 B -> 1,200,004 B (+0.0 %): the same operations on tensors of other sizes or types"),
        ({"multiply_adds": 1001}, "multiply-adds 1,000 -> 1,001 (+0.1 %): the same operations on tensors of other sizes or types"),
        (
            {"peak_bytes": 4097},
            "peak memory 4,096 B -> 4,097 B (+0.0 %): the same operations; tensors are held for another time, or are of other sizes",
        ),
        (
            {"peak_bytes": 8192},
            "peak memory 4.1 kB -> 8.19 kB (+100.0 %): the same operations; tensors are held for another time, or are of other sizes",
        ),
    ],
)
def test_any_increase_is_worse_and_its_opposite_better(fields: dict[str, Any], line: str) -> None:
    found = changed(**fields)
    assert found.worse == [line] and not found.better and not found.notes
    back = compare_fingerprints(BASE.model_copy(update=fields), BASE)
    assert not back.worse and len(back.better) == 1 and not back.notes


def test_another_mix_at_the_same_cost_is_a_note() -> None:
    found = changed(operations={"mul": 13, "mm": 2, "_to_copy": 1, "addcmul": 1})
    assert not found.worse and not found.better
    assert found.notes == ["as many launches, of other operations: addcmul 0 -> 1, mul 14 -> 13"]


def test_many_operations_are_not_all_listed() -> None:
    many = {f"op{i}": i for i in range(20)}
    assert named({}, many).startswith("op19 0 -> 19, op18 0 -> 18") and named({}, many).endswith(" and 13 more")


def test_kernels_name_the_change_where_there_is_a_gpu() -> None:
    base = BASE.model_copy(update={"kernels": {"gemm": 2, "elementwise": 15}})
    head = base.model_copy(update={"kernels": {"gemm": 2, "elementwise": 16}, "launches": 18})
    assert compare_fingerprints(base, head).worse == ["1 more launch: elementwise 15 -> 16"]
    with pytest.raises(InputError, match="only the head's lists kernels"):
        compare_fingerprints(BASE, base)


def test_graph_breaks_that_one_side_did_not_count_are_a_note() -> None:
    found = changed(graph_breaks=None)
    assert not found.worse and found.notes == ["graph breaks 1 -> not counted: not asked for, or it cannot be traced"]


def test_round_trips_are_told_once_and_by_what_code_calls() -> None:
    base = BASE.model_copy(update={"round_trips": {"nonzero": 1}})
    item = {"_local_scalar_dense": 2, "nonzero": 1}
    head = base.model_copy(update={"syncs": item, "round_trips": item | {"numpy": 1}})
    told = ["2 more host round trips: a number read (item, bool, int or float)", "1 more host round trip: numpy"]
    found = compare_fingerprints(base, head)
    assert found.worse == told and not found.better and not found.notes
    back = compare_fingerprints(head, base)
    assert not back.worse and back.better == [line.replace("more", "fewer") for line in told]
    runtime = compare_fingerprints(base, base.model_copy(update={"syncs": {"nonzero": 1, "cudaStreamSynchronize": 1}}))
    assert runtime.worse == ["1 more host-device synchronisation: cudaStreamSynchronize"]


def test_a_stored_fingerprint_of_before_round_trips_is_read_and_compared() -> None:
    stored = BASE.model_dump(mode="json")
    del stored["round_trips"]
    old = Fingerprint.model_validate(stored)
    assert old.round_trips is None
    head = BASE.model_copy(update={"syncs": {"nonzero": 2}, "round_trips": {"nonzero": 2, "tolist": 1}})
    found = compare_fingerprints(old, head)
    assert found.worse == ["1 more host-device synchronisation: nonzero"]
    assert found.notes == ["host round trips: the base is older than their count"]
