"""Ranges of the profiler are named as the blocks are, and are closed whatever happens."""

from __future__ import annotations

import pytest
import torch
from ase.build import molecule
from torch.profiler import ProfilerActivity, profile

from mpcheck.adapters.blocks import module_blocks
from mpcheck.adapters.facts.ranges import PREFIX, Ranges
from mpcheck.adapters.graph import make_graph


def graph() -> dict[str, torch.Tensor]:
    return make_graph([molecule("H2O")], ["H", "O"], 3.0)


def test_every_block_and_step_has_a_range_in_every_call_of_the_model(tiny: torch.nn.Module) -> None:
    ranges = Ranges(tiny, watch_dtypes=True)
    with ranges.marking(), profile(activities=[ProfilerActivity.CPU]) as trace:
        for _ in range(2):
            tiny(graph(), compute_force=False)
    names = {b.name for b in module_blocks(tiny)} | {"edge_vectors", "energy_sum", "interactions.0.scatter", "interactions.1.scatter"}
    marked = [e.name.removeprefix(PREFIX) for e in trace.events() if e.name.startswith(PREFIX)]
    assert names <= set(marked)
    assert all(marked.count(name) == 2 for name in names), "one for each call, and no second one within it"
    assert all(ranges.dtypes[name] == {"float64"} for name in names)


def test_a_failing_model_leaves_no_range_open_and_no_hook(tiny: torch.nn.Module) -> None:
    def fails(*_: object) -> None:
        raise ZeroDivisionError

    hooks = sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in tiny.modules())
    ranges = Ranges(tiny)
    handle = tiny.get_submodule("products.0.linear").register_forward_pre_hook(fails)
    try:
        with pytest.raises(ZeroDivisionError), ranges.marking():
            tiny(graph(), compute_force=False)
    finally:
        handle.remove()
    assert ranges._open == []
    assert sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in tiny.modules()) == hooks
