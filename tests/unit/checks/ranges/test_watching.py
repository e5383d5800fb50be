"""A pass sees every block's numbers as the model computes them, and leaves nothing behind."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from mpcheck.adapters.graph import make_graph
from mpcheck.adapters.upstream import o3
from mpcheck.checks.physics.structure import evaluate
from mpcheck.checks.ranges.watching import Seen, watched
from mpcheck.formats import FLOAT16
from mpcheck.systems.resolve import resolve_system
from tests.unit.checks.uses.small_models import built


@pytest.fixture(scope="module")
def model() -> torch.nn.Module:
    return built("ScaleShiftMACE")


@pytest.fixture(scope="module")
def graph(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return make_graph(resolve_system("builtin:water:2", ["H", "O"], 4.0).frames, ["H", "O"], 4.0)


@pytest.fixture(scope="module")
def seen(model: torch.nn.Module, graph: dict[str, torch.Tensor]) -> Seen:
    return watched(model, graph, [FLOAT16])


def test_it_sees_what_the_model_gives(model: torch.nn.Module, graph: dict[str, torch.Tensor], seen: Seen) -> None:
    out = evaluate(model, graph, compute_force=True)
    own = seen.tensors["model"]
    assert own["out.energy"].sizes.largest == pytest.approx(float(out["energy"].abs().max()))
    assert own["grad.positions"].sizes.largest == pytest.approx(float(out["forces"].abs().max()))
    assert seen.atoms == [len(graph["positions"])]
    assert seen.made > 8 * 100 * len(graph["positions"])
    assert seen.neighbours == int(torch.bincount(graph["edge_index"][1]).max())


def test_every_kind_of_tensor_of_a_block(model: torch.nn.Module, seen: Seen) -> None:
    block = seen.tensors["interactions.0.linear"]
    assert {name: one.kind for name, one in block.items()} == {
        "in.features": "input", "way": "way", "out": "output", "weight.weight": "weight", "weight.output_mask": "weight", "grad.out": "gradient",
        "grad.in.features": "gradient", "grad.weight.weight": "gradient",
    }  # fmt: skip
    weight = model.get_submodule("interactions.0.linear").weight
    assert block["weight.weight"].sizes.largest == float(weight.detach().abs().max())
    assert block["way"].sizes.largest >= block["out"].sizes.largest and block["way"].worst in ("mm", "mul", "bmm", "cat", "add")
    out = block["out"].layout
    assert out is not None and out.irreps and out.form == "flat" and out.contiguous
    step = seen.tensors["interactions.0.scatter"]
    assert step["way"].worst.startswith("scatter_add") and step["way"].sizes.largest == step["out"].sizes.largest
    around = seen.tensors["interactions.0"]["way"].sizes
    assert around.largest >= block["way"].sizes.largest and not any(n.startswith("weight") for n in seen.tensors["interactions.0"])


def test_a_tensor_that_is_kept_otherwise_than_upstreams_is_told(
    model: torch.nn.Module, graph: dict[str, torch.Tensor], seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = o3.Linear.forward

    def turned(self: Any, *args: Any, **kwargs: Any) -> Any:
        out = original(self, *args, **kwargs)
        return out.T.contiguous().T

    def expanded(self: Any, *args: Any, **kwargs: Any) -> Any:
        out = original(self, *args, **kwargs)
        return out.mean(0, keepdim=True).expand_as(out)

    before = seen.tensors["interactions.0.linear_up"]["out"].layout
    assert before is not None and before.plain
    monkeypatch.setattr(o3.Linear, "forward", turned)
    after = watched(model, graph, [FLOAT16]).tensors["interactions.0.linear_up"]["out"].layout
    assert after is not None and not after.contiguous and after.strides[0] == 1
    monkeypatch.setattr(o3.Linear, "forward", expanded)
    after = watched(model, graph, [FLOAT16]).tensors["interactions.0.linear_up"]["out"].layout
    assert after is not None and after.expanded and after.strides[0] == 0


def test_without_formats_it_sees_the_same_magnitudes_alone(model: torch.nn.Module, graph: dict[str, torch.Tensor], seen: Seen) -> None:
    quick = watched(model, graph)
    assert quick.tensors.keys() == seen.tensors.keys()
    for block, tensors in seen.tensors.items():
        for end in ("largest", "smallest"):
            assert {n: getattr(w.sizes, end) for n, w in quick.tensors[block].items()} == pytest.approx(
                {n: getattr(w.sizes, end) for n, w in tensors.items()}
            )


def test_nothing_is_left_behind(model: torch.nn.Module, graph: dict[str, torch.Tensor]) -> None:
    hooks = sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())
    given = {name: value.clone() for name, value in graph.items()}
    for parameter in model.parameters():
        assert parameter.grad is None
    watched(model, graph)
    assert sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules()) == hooks
    assert all(parameter.grad is None for parameter in model.parameters())
    assert given.keys() == graph.keys() and all(torch.equal(graph[name], value) for name, value in given.items())
    assert not graph["positions"].requires_grad
