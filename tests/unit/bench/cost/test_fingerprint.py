"""Fingerprints: what an operation costs, the same on every call and in every process; and how two of them compare."""

from __future__ import annotations

import dataclasses
import gc
import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

from mpcheck.adapters.upstream import quiet
from mpcheck.bench.cost.fingerprint import counted, fingerprint, graph_breaks
from mpcheck.bench.keys import BenchKey
from mpcheck.bench.work.workloads import UnsupportedError, Workload, Workloads
from mpcheck.sessions.run import Options, Session

SYSTEM = "builtin:water"

A, B = torch.ones(4, 8), torch.ones(8, 3)


@pytest.fixture(scope="module")
def workloads() -> Workloads:
    return Workloads(Session(Options(model="builtin:hco", systems=(SYSTEM,), backends=("e3nn",), formats=("float32",))))


@pytest.fixture
def workload(workloads: Workloads) -> Iterator[Workload]:
    with workloads.opened(BenchKey(SYSTEM, 1, "interactions.1.linear_up", "e3nn", "float32", "forward")) as opened:
        yield opened


def test_peak_memory_follows_what_is_alive() -> None:
    def freed() -> torch.Tensor:
        x = torch.zeros(100)
        x = x + 1
        x = x + 1
        return x[:1]  # a view keeps all of it

    def kept() -> list[torch.Tensor]:
        x = torch.zeros(100)
        return [x, x + 1, x + 2]

    assert counted(freed).peak_bytes == 800
    assert counted(kept).peak_bytes == 1200
    assert counted(lambda: A.view(-1)).peak_bytes == 0


def test_the_backward_pass_and_torchscript_are_counted() -> None:
    x = A.clone().requires_grad_()
    found = counted(lambda: torch.autograd.grad((x * x).sum(), x))
    assert found.operations["mul"] == 3 and found.operations["sum"] == 1

    def plain(a: torch.Tensor) -> torch.Tensor:
        return (a * 2 + 1).double()

    with quiet():
        scripted = torch.jit.script(plain)

    for _ in range(3):
        scripted(A)
    script = counted(lambda: scripted(A))
    assert script.operations == {"mul": 1, "add": 1, "_to_copy": 1} and script.casts == {"float32->float64": 1}


def test_memory_in_cycles_is_the_same_however_often_the_collector_runs(workload: Workload) -> None:
    def cyclic() -> torch.Tensor:
        for _ in range(20):
            ring: list[Any] = [torch.zeros(1000)]
            ring.append(ring)
        return torch.zeros(1)

    made = dataclasses.replace(workload, call=cyclic)
    before = gc.get_threshold()
    try:
        found = set()
        for threshold in (1, 7, 700, 0):
            gc.set_threshold(threshold)
            found.add(fingerprint(made).peak_bytes)
    finally:
        gc.set_threshold(*before)
    assert found == {20 * 4000 + 4}


def test_nothing_global_changes_even_where_a_call_fails(workload: Workload) -> None:
    calls = 0

    def failing() -> None:
        nonlocal calls
        calls += 1
        if calls == 4:
            raise RuntimeError("planted")

    before = (torch.get_num_threads(), gc.isenabled(), torch.get_default_dtype(), torch.is_grad_enabled())
    fingerprint(workload)
    with pytest.raises(RuntimeError, match="planted"):
        fingerprint(dataclasses.replace(workload, call=failing))
    assert (torch.get_num_threads(), gc.isenabled(), torch.get_default_dtype(), torch.is_grad_enabled()) == before


def test_first_calls_do_not_count_and_an_unsteady_call_is_refused(workload: Workload) -> None:
    def warming(limit: int) -> Callable[[], Any]:
        sizes = iter(range(limit, 0, -1))
        return lambda: torch.zeros(next(sizes, 1))

    assert fingerprint(dataclasses.replace(workload, call=warming(6))).peak_bytes == 4
    with pytest.raises(UnsupportedError, match="differs from call to call"):
        fingerprint(dataclasses.replace(workload, call=warming(1000)))


def test_every_block_costs_the_same_on_five_calls(workloads: Workloads) -> None:
    every = workloads.keys()
    assert len(every) == 76
    for key in every:
        with workloads.opened(key) as opened:
            first = fingerprint(opened)
            assert first.operations or not first.launches
            assert all(counted(opened.call) == first for _ in range(5 if key.subject != "model" else 2)), key.id


@pytest.mark.parametrize("work", ["forward", "forward+backward"])
@pytest.mark.parametrize("block", ["interactions.1", "products.0"])
def test_cueq_costs_the_same_on_every_call(session: Session, block: str, work: Any) -> None:
    with Workloads(session).opened(BenchKey(SYSTEM, 1, block, "cueq", "bfloat16", work)) as opened:
        first = fingerprint(opened)
        assert first.casts["bfloat16->float32"] > 0
        assert all(fingerprint(opened) == first for _ in range(2))


_CHILD = f"""
import json, sys
from mpcheck.bench.cost.fingerprint import fingerprint
from mpcheck.bench.work.workloads import Workloads
from mpcheck.sessions.run import Options, Session
blocks = ("interactions.1", "products.1", "spherical_harmonics", "model")
w = Workloads(Session(Options(systems=("{SYSTEM}",), backends=("e3nn",), formats=("float64", "float32"), blocks=blocks)))
found = {{}}
for key in sorted(w.keys(), key=lambda k: k.id, reverse=sys.argv[1] == "reversed"):
    with w.opened(key) as workload:
        found[key.id] = fingerprint(workload).model_dump()
print(json.dumps(found, sort_keys=True))
"""


@pytest.mark.slow
def test_two_processes_in_opposite_orders_count_the_same() -> None:
    """TorchScript specialises what it has seen, so the order of the benchmarks must not matter."""

    def child(order: str, seed: str) -> Any:
        environment = {**os.environ, "PYTHONHASHSEED": seed, "OMP_NUM_THREADS": "1"}
        done = subprocess.run([sys.executable, "-c", _CHILD, order], env=environment, capture_output=True, text=True, check=True)
        return json.loads(done.stdout.splitlines()[-1])

    one, other = child("sorted", "1"), child("reversed", "2")
    assert len(one) == 2 * 2 * 4 and one == other


def test_graph_breaks_are_counted_and_nothing_stays_compiled() -> None:
    def smooth() -> torch.Tensor:
        return A * 2 + 1

    def broken() -> torch.Tensor:
        x = A * 2
        torch._dynamo.graph_break()
        return x + 1

    def untraceable() -> int:
        raise RuntimeError("planted")

    assert (graph_breaks(smooth), graph_breaks(broken)) == (0, 1)
    level = logging.getLogger("torch._guards").level
    with pytest.raises(UnsupportedError, match=r"torch\.compile cannot trace it: .*planted"):
        graph_breaks(untraceable)
    assert logging.getLogger("torch._guards").level == level


def test_graph_breaks_join_the_rest_and_change_none_of_it(workload: Workload) -> None:
    found = fingerprint(workload, compiled=True)
    assert found.graph_breaks == 0
    assert found.model_copy(update={"graph_breaks": None}) == fingerprint(workload)
