"""Profile maps: whose time it is, on made-up events and on the real model; the sweep, records, tables and pictures."""

from __future__ import annotations

from typing import Any

import pytest

from mpcheck.bench.profile.attribution import UNATTRIBUTED, CallCost, Event, TimeCost, attribute, group_of
from mpcheck.bench.profile.map import rows_of


def block(name: str, start: float, end: float, thread: int = 0) -> Event:
    return Event(name, start, end, thread, "range")


def op(start: float, end: float, sequence: int = -1, kind: Any = "compute", thread: int = 0, device: float = 0.0) -> Event:
    return Event("aten::mm", start, end, thread, kind, sequence, 0, device, 1)


def node(sequence: int, start: float, end: float, thread: int = 0, name: str = "MmBackward0") -> Event:
    return Event(f"autograd::engine::evaluate_function: {name}", start, end, thread, "node", sequence, 0)


def own(call: CallCost, name: str, phase: Any = "forward") -> TimeCost:
    return call.own.get((name, phase), TimeCost())


FORWARD = [block("model", 0, 100), block("outer", 10, 50), block("inner", 20, 40), op(22, 32, 5), op(42, 47, 6), op(60, 64, 7)]


def test_a_block_s_own_time_is_without_the_blocks_inside() -> None:
    (call,) = attribute(FORWARD)
    assert (own(call, "inner").host, own(call, "inner").device) == (20, 10)
    assert (own(call, "outer").host, own(call, "outer").device) == (20, 5)
    assert (own(call, "model").host, own(call, "model").device) == (60, 4)
    assert call.parents == {"outer": "model", "inner": "outer"}


@pytest.mark.parametrize("thread", [0, 7], ids=["one-thread", "autograd-thread"])
def test_backward_nodes_go_to_the_block_that_made_them(thread: int) -> None:
    backward = [node(7, 70, 74, thread), node(6, 74, 80, thread), node(5, 82, 90, thread), op(83, 88, thread=thread), node(99, 90, 91, thread)]
    events = [block("model", 0, 100), *FORWARD[1:], *backward]
    (call,) = attribute(events[::-1])  # the order in which they come does not matter
    assert own(call, "model", "backward").host == 4 + 1  # the last number known is the model's own operation
    assert own(call, "outer", "backward").host == 6
    assert (own(call, "inner", "backward").host, own(call, "inner", "backward").device) == (8, 5)
    assert own(call, UNATTRIBUTED, "backward").host == 2  # the engine between two nodes
    assert sum(c.host for c in call.own.values()) == pytest.approx(call.duration)


def test_what_no_block_made_is_unattributed_and_not_lost() -> None:
    (call,) = attribute([block("model", 0, 10), node(3, 2, 5), op(3, 4)])
    assert (own(call, UNATTRIBUTED, "backward").host, own(call, UNATTRIBUTED, "backward").device) == (3, 1)


def test_a_scripted_graph_s_node_belongs_to_what_runs_next() -> None:
    scripted = "torch::jit::(anonymous namespace)::DifferentiableGraphBackward"
    events = [
        block("model", 0, 99),
        block("a", 1, 9),
        op(2, 3, 5),
        block("b", 10, 20),
        op(12, 14, 6),
        node(5, 30, 37, name=scripted),
        node(5, 40, 42),
    ]
    (call,) = attribute(events)
    assert (own(call, "b", "backward").host, own(call, "a", "backward").host) == (7, 2)


def test_kernels_count_where_they_were_launched_though_they_run_later() -> None:
    events = [block("model", 0, 100), block("a", 0, 10), op(1, 3, 1, "other", device=95.0), Event("cudaDeviceSynchronize", 20, 98, 0, "waiting")]
    calls = attribute(events)
    rows = {r.block: r for r in rows_of(calls, "cuda")}
    assert (rows["a"].forward.device, rows["a"].forward.host) == (pytest.approx(95e-6), pytest.approx(10e-6))
    assert rows["model"].forward.waiting == pytest.approx(78e-6)
    assert (rows["model"].bound, rows["a"].bound) == ("GPU-bound", "GPU-bound")


def test_calls_of_one_block_and_calls_of_the_model() -> None:
    one = [block("model", 0, 10), block("sum", 1, 2), block("sum@2", 3, 6)]
    later = [Event(e.name, e.start + 20, e.end + 20, 0, e.kind) for e in one]
    calls = attribute(one + later)
    rows = {r.block: r for r in rows_of(calls, "cpu", {"sum": {"float32"}})}
    assert [c.duration for c in calls] == [10, 10]
    assert (rows["sum"].forward.host, rows["sum@2"].forward.host, rows["sum"].calls) == (pytest.approx(1e-6), pytest.approx(3e-6), 1)
    assert rows["sum"].dtypes == ("float32",)


@pytest.mark.parametrize(
    ("name", "group"), [("interactions.1.conv_tp", "interactions.1"), ("edge_vectors", "embedding"), ("energy_sum@2", "energies"), ("x", "model")]
)
def test_groups(name: str, group: str) -> None:
    assert group_of(name) == group
