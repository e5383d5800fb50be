"""What an observer keeps of every block repeats its call; nothing stays behind."""

from __future__ import annotations

import pytest
import torch
from ase.build import molecule

from mpcheck.adapters.blocks import module_blocks
from mpcheck.adapters.graph import make_graph
from mpcheck.adapters.observe import Arguments, Observer
from mpcheck.adapters.tree import flatten, unflatten


class Kept(Arguments):
    """Keeps outputs and cotangents as well."""

    def __init__(self) -> None:
        super().__init__()
        self.outputs: dict[str, dict[str, torch.Tensor]] = {}
        self.cotangents: dict[str, dict[str, torch.Tensor]] = {}

    def output(self, block: str, output: str, value: torch.Tensor) -> None:
        self.outputs.setdefault(block, {})[output] = value.detach().clone()

    def cotangent(self, block: str, output: str, value: torch.Tensor) -> None:
        self.cotangents.setdefault(block, {})[output] = value


def hooks(model: torch.nn.Module) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())


@pytest.fixture(scope="module")
def kept(tiny: torch.nn.Module) -> Kept:
    """Two passes under one observer, the second one differentiated."""
    sink, graph, before = Kept(), make_graph([molecule("H2O")], ["H", "O"], 3.0), hooks(tiny)
    with Observer(tiny, sink).watching():
        for _ in range(2):
            out = tiny({k: v.clone() for k, v in graph.items()}, compute_force=False)
    assert hooks(tiny) == before
    torch.autograd.grad(out["energy"].sum(), [p for p in tiny.parameters() if p.requires_grad], allow_unused=True)
    return sink


def test_every_block_and_step_is_named_and_a_second_call_apart(kept: Kept, tiny: torch.nn.Module) -> None:
    names = {b.name for b in module_blocks(tiny)} | {"edge_vectors", "energy_sum", "interactions.0.scatter", "interactions.1.scatter"}
    assert names <= set(kept.blocks)
    assert {f"{name}@2" for name in names} <= set(kept.blocks)
    assert not kept.refusals


def test_what_was_kept_repeats_the_call(kept: Kept, tiny: torch.nn.Module) -> None:
    leaves = [(name, block, skeleton, tensors) for name, (block, skeleton, tensors) in kept.blocks.items() if block.kind == "leaf"]
    assert len(leaves) > 40, "two passes"
    for name, block, skeleton, tensors in leaves:
        results: dict[str, torch.Tensor] = {}
        flatten(tiny.get_submodule(block.module_path)(**unflatten(skeleton, tensors)), "out", results)
        assert all(torch.equal(results[n], t) for n, t in kept.outputs[name].items()), name


def test_cotangents_are_those_of_the_energy(kept: Kept) -> None:
    calls = [name for name in kept.blocks if name.partition("@")[0] == "energy_sum"]
    told = [name for name in calls if name in kept.cotangents]
    assert told and set(told) <= set(calls[len(calls) // 2 :]), "the first pass was not differentiated"
    assert all(torch.equal(kept.cotangents[name]["out"], torch.ones(1, dtype=torch.float64)) for name in told)
