"""First calls in a process, in their order."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import torch

from mpcheck.bench.keys import BenchKey, check_work
from mpcheck.bench.timing.starts import digest, in_order, reshape, start
from mpcheck.bench.work.workload import UnsupportedError
from mpcheck.bench.work.workloads import Workloads
from mpcheck.sessions.run import Options, Session


def test_parts_come_before_what_holds_them() -> None:
    names = [f"s*1/{n}-e3nn-float32-forward" for n in ("a", "a.b", "a.b.c", "d", "d.e")]
    assert [n.split("-")[0][4:] for n in in_order(names)] == ["a.b.c", "a.b", "d.e", "a", "d"]
    assert digest(["a", "b"]) != digest(["b", "a"]) and digest([]) == digest(())


SLEEP = 0.2


@pytest.fixture
def compiling(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Workloads:
    """Workloads of a model whose one linear layer takes longer whenever it meets a shape for the first time."""
    session = Session(Options(systems=("builtin:water",), backends=("e3nn",), formats=("float32",), cache=cache))
    module = session.reference_backend.model.get_submodule("products.0.linear")
    forward, seen = type(module).forward, set[tuple[int, torch.Size]]()

    def slow(self: Any, x: torch.Tensor, *rest: Any) -> Any:
        if (id(self), x.shape) not in seen and x.shape[-1] == module.irreps_in.dim and type(self) is type(module):
            seen.add((id(self), x.shape))
            time.sleep(SLEEP)
        return forward(self, x, *rest)

    monkeypatch.setattr(type(module), "forward", slow)
    return Workloads(session)


@pytest.mark.parametrize("work", ["forward", "forward+backward"])
def test_compilation_for_every_shape_is_in_the_first_calls_and_in_no_steady_one(compiling: Workloads, work: str) -> None:
    """Observing the block's arguments, which takes an evaluation of the model on each shape, must not have compiled it before."""
    key = BenchKey("builtin:water", 1, "products.0.linear", "e3nn", "float32", check_work((work,))[0])
    compiling.keys()
    told = start(compiling, key)
    least = SLEEP / 2  # what is measured leaves out the waiting for a processor, of which a sleep's end has a little
    assert told["first"] >= told["first_call"] >= least
    assert reshape(compiling, key)["shape"] >= least
    again = start(compiling, key)
    assert again["first"] < least and reshape(compiling, key)["shape"] < least


def test_a_model_that_cannot_be_copied_says_so(compiling: Workloads, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Any, __: Any) -> None:
        raise TypeError("no copies")

    monkeypatch.setattr(type(compiling.session.reference_backend.model), "__deepcopy__", refuse, raising=False)
    key = BenchKey("builtin:water", 1, "products.0.linear", "e3nn", "float32", "forward")
    assert start(compiling, key)["first"] > 0
    assert reshape(compiling, key) == {
        "shape": None,
        "refused": "the model cannot be copied, so that nobody knows its blocks' arguments on another structure",
        "broken": False,
    }
    with pytest.raises(UnsupportedError, match="cannot be copied"):
        compiling.arguments("builtin:water", 1, reshaped=True)


def test_another_shape_is_a_structure_less_or_where_there_is_one_a_structure_more(compiling: Workloads) -> None:
    def structures(batch: int, reshaped: bool) -> int:
        return len(compiling.graph("builtin:water", batch, reshaped)["ptr"]) - 1

    assert [structures(b, False) for b in (1, 3)] == [1, 3]
    assert [structures(b, True) for b in (1, 3)] == [2, 2]
