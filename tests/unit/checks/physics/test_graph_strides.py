"""A model must read its graph by values, whatever the strides."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from mpcheck.checks.physics import graph_strides
from mpcheck.sessions.run import Session
from tests.faults.planted import replaced_attribute
from tests.unit.checks.physics.judging import Fault, Graph, assert_green, assert_red


def packed(t: torch.Tensor) -> torch.Tensor:
    """Read as if its rows lay one after another."""
    return t.as_strided(t.shape, torch.empty(t.shape, device="meta").stride())


def read_as(model: torch.nn.Module, change: Callable[[Graph], Graph]) -> Fault:
    """A model that reads some tensors of its graph another way."""
    original = model.forward
    return replaced_attribute(model, "forward", lambda data, **flags: original({**data, **change(data)}, **flags))


@pytest.mark.parametrize("tensor", ["positions", "node_attrs", "edge_index", "unit_shifts", "shifts", "batch", "cell"])
def test_strides_of_any_tensor_assumed(run: Session, model: torch.nn.Module, clean: Any, tensor: str) -> None:
    fault = read_as(model, lambda data: {tensor: packed(data[tensor])})
    assert_red(run, clean, fault, "strided-model", ("float64", "every other element"), f"how {tensor} lies in memory (every other element)")


def test_columns_that_are_taken_for_rows(run: Session, model: torch.nn.Module, clean: Any) -> None:
    fault = read_as(model, lambda data: {"cell": packed(data["cell"])})
    assert_red(run, clean, fault, "strided-model", ("float64", "columns first"), "depends on how cell lies in memory (columns first)")


def test_an_offset_into_storage_that_is_forgotten(run: Session, model: torch.nn.Module, clean: Any) -> None:
    fault = read_as(model, lambda data: {"batch": data["batch"].as_strided(data["batch"].shape, data["batch"].stride(), 0)})
    assert_red(run, clean, fault, "strided-model", ("float64", "within a wider tensor"), "how batch lies")


def test_rows_without_memory_of_their_own(run: Session, model: torch.nn.Module, clean: Any) -> None:
    fault = read_as(model, lambda data: {"node_attrs": packed(data["node_attrs"]) if data["node_attrs"].stride(0) == 0 else data["node_attrs"]})
    assert_red(run, clean, fault, "strided-model", ("float64", "expanded"), "how node_attrs lies")


def test_one_tensor_speaks_for_another(run: Session, model: torch.nn.Module, clean: Any) -> None:
    """A fast path for contiguous positions, which takes the cell to be contiguous as well: right where both are, or neither."""

    def change(data: Graph) -> Graph:
        return {"cell": packed(data["cell"])} if data["positions"].is_contiguous() else {}

    assert_red(run, clean, read_as(model, change), "strided-model", ("float64", "some, the rest contiguous"), "how cell lies")


def test_a_stress_alone_that_depends_on_strides(run: Session, model: torch.nn.Module, clean: Any) -> None:
    original = model.forward

    def forward(data: Graph, **flags: bool) -> Any:
        out = original(data, **flags)
        return out | ({"stress": out["stress"] * 1.001} if out["stress"] is not None and not data["cell"].is_contiguous() else {})

    fault = replaced_attribute(model, "forward", forward)
    assert_red(run, clean, fault, "strided-model", ("float64", "columns first"), "stress depends on how cell lies in memory")


def test_copies_at_entry_are_green(run: Session, model: torch.nn.Module) -> None:
    assert_green(run, read_as(model, lambda data: {k: v.contiguous() for k, v in data.items()}), "strided-model")


def test_every_layout_keeps_values() -> None:
    for t in (torch.arange(12.0).reshape(4, 3), torch.arange(5), torch.ones(4, 2)):
        for layout, change in graph_strides.LAYOUTS.items():
            assert torch.equal(change(t), t), layout
    assert graph_strides.equal_rows(torch.ones(4, 2)).stride() == (0, 1)


def test_any_tensor_is_once_moved_while_any_other_is_not() -> None:
    graph = {name: torch.rand(4, 3) for name in "abcdefghi"}
    chosen = [set(selection) for selection in graph_strides._some(graph, set(graph))]
    assert all(any(a in s and b not in s for s in chosen) for a in graph for b in graph if a != b)
