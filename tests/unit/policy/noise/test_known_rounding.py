"""What is stored is rounded as policies store it."""

from __future__ import annotations

import torch

from mpcheck.policy.noise import known_rounding
from mpcheck.policy.running.packed import packed
from tests.unit.policy.helpers.small import box, graph_of, model


def test_packed_weights_are_those_of_a_policy() -> None:
    block = model().get_submodule("interactions.1.linear")
    for storage in ("int8", "float8_e4m3fn"):
        own = known_rounding.rounded(block, storage)  # type: ignore[arg-type]
        weights = packed("x", "interactions.1.linear", block, storage).weights(torch.float64)  # type: ignore[arg-type]
        assert own.keys() == weights.keys() and all(torch.equal(own[n], weights[n]) for n in own)


def test_nothing_where_no_bit_changes() -> None:
    block = torch.nn.Linear(2, 2, dtype=torch.float64)
    with torch.no_grad():
        block.weight.fill_(0.5)
        block.bias.fill_(-2.0)
    assert known_rounding.change(block, "bfloat16") is None
    with torch.no_grad():
        block.bias[0] = 0.1
    change = known_rounding.change(block, "bfloat16")
    assert change is not None and torch.equal(change(block.weight), block.weight)
    assert float(change(block.bias)[0]) == float(torch.tensor(0.1).to(torch.bfloat16))


def test_coordinates() -> None:
    graph = graph_of(box())
    rounded = known_rounding.coordinates(graph, torch.float16)
    assert rounded["positions"].dtype == torch.float64 and not torch.equal(rounded["positions"], graph["positions"])
    assert torch.equal(rounded["edge_index"], graph["edge_index"]) and torch.equal(rounded["node_attrs"], graph["node_attrs"])
