"""What an observer keeps of every block repeats its call; nothing stays behind."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from ase.build import molecule

from mpcheck.adapters.architecture import Architecture, build_model
from mpcheck.adapters.backends.cueq import BACKEND as CUEQ
from mpcheck.adapters.backends.e3nn import E3nnModel
from mpcheck.adapters.blocks import module_blocks
from mpcheck.adapters.calls import called
from mpcheck.adapters.ghosts import unsupported
from mpcheck.adapters.graph import make_graph
from mpcheck.adapters.observe import Arguments, Observer
from mpcheck.adapters.tree import flatten, unflatten
from tests.unit.adapters.samples import ARCHITECTURE


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


@pytest.mark.parametrize("numbers", [[1, 8], [np.int64(1), np.int64(8)], np.array([1, 8])], ids=["list", "list of numpy's", "array"])
def test_elements_that_are_no_tensor_are_an_argument_like_others(numbers: object) -> None:
    model = build_model(Architecture.model_validate(ARCHITECTURE))
    del model._buffers["atomic_numbers"]
    model.atomic_numbers = numbers  # type: ignore[assignment]
    sink = Kept()
    with torch.no_grad(), Observer(model, sink).watching():
        model(make_graph([molecule("H2O")], ["H", "O"], 3.0), compute_force=False)
    assert not sink.refusals
    block, skeleton, tensors = sink.blocks["radial_embedding"]
    arguments = unflatten(skeleton, tensors)
    assert type(arguments["atomic_numbers"]) is type(numbers) and list(arguments["atomic_numbers"]) == list(numbers)  # type: ignore[call-overload]
    assert torch.equal(called(model.radial_embedding, arguments, block.positional)[0], sink.outputs["radial_embedding"]["out.0"])
    assert "atomic_numbers as a tensor" in (unsupported(model) or "")


def bare(forward: Callable[..., Any]) -> Callable[..., Any]:
    def inner(self: Any, *args: Any, **kwargs: Any) -> Any:
        return forward(self, *args, **kwargs)

    return inner


def picky(forward: Callable[..., Any]) -> Callable[..., Any]:
    """Looks at its first argument, which has no name here."""

    def inner(self: Any, *args: Any, **kwargs: Any) -> Any:
        assert args or kwargs["node_feats"] is not None
        return forward(self, *args, **kwargs)

    return functools.wraps(forward)(inner)


@pytest.mark.parametrize("decorator", [bare, picky])
def test_decorated_blocks_are_what_they_were(tiny: torch.nn.Module, decorator: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names, irreps and results, on both sides of a conversion."""
    graph, seen, results = make_graph([molecule("H2O")], ["H", "O"], 3.0), [Kept(), Kept()], [{}, {}]
    twin = CUEQ.build(tiny, torch.device("cpu"))
    for sink, out in zip(seen, results, strict=True):
        with torch.no_grad(), Observer(tiny, sink).watching():
            tiny({k: v.clone() for k, v in graph.items()}, compute_force=False)
        for name, (block, skeleton, tensors) in sink.blocks.items():
            for backend in (E3nnModel(tiny, torch.device("cpu")), twin):
                with torch.no_grad():
                    flatten(backend.call(block, unflatten(skeleton, tensors)), f"{backend.name} {name}", out)
        if sink is seen[0]:
            for cls in {type(m) for m in tiny.modules() if isinstance(vars(type(m)).get("forward"), types.FunctionType)}:
                monkeypatch.setattr(cls, "forward", decorator(cls.forward))
    assert {n: (list(s), list(t)) for n, (_, s, t) in seen[0].blocks.items()} == {n: (list(s), list(t)) for n, (_, s, t) in seen[1].blocks.items()}
    assert results[0].keys() == results[1].keys() and all(torch.equal(t, results[1][n]) for n, t in results[0].items())


def test_cotangents_are_those_of_the_energy(kept: Kept) -> None:
    calls = [name for name in kept.blocks if name.partition("@")[0] == "energy_sum"]
    told = [name for name in calls if name in kept.cotangents]
    assert told and set(told) <= set(calls[len(calls) // 2 :]), "the first pass was not differentiated"
    assert all(torch.equal(kept.cotangents[name]["out"], torch.ones(1, dtype=torch.float64)) for name in told)


def test_what_a_sink_calls_while_it_takes_arguments_is_not_watched(tiny: torch.nn.Module) -> None:
    """Modules and steps, whose names it would count up."""
    graph, plain = make_graph([molecule("H2O")], ["H", "O"], 3.0), Kept()

    class Calling(Kept):
        """Calls each block once more."""

        def inputs(self, block: Any, skeleton: Any, tensors: dict[str, torch.Tensor]) -> None:
            super().inputs(block, skeleton, tensors)
            E3nnModel(tiny, torch.device("cpu")).call(block, unflatten(skeleton, {n: t.detach() for n, t in tensors.items()}))

    calling = Calling()
    for sink in (plain, calling):
        with Observer(tiny, sink).watching():
            tiny({n: t.clone() for n, t in graph.items()}, compute_force=False)
    assert list(calling.blocks) == list(plain.blocks) and list(calling.outputs) == list(plain.outputs)
