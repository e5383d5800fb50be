"""The reference backend is upstream's model itself."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch

from mpcheck.adapters.backends.e3nn import BACKEND, E3nnModel
from mpcheck.adapters.blocks import Block, module_blocks
from mpcheck.adapters.upstream import o3
from mpcheck.formats import FORMATS


@pytest.fixture(scope="module")
def built(tiny: torch.nn.Module) -> E3nnModel:
    return BACKEND.build(copy.deepcopy(tiny), torch.device("cpu"))


def linear(built: E3nnModel) -> tuple[Block, dict[str, Any]]:
    block = next(b for b in module_blocks(built.model) if b.name == "products.0.linear")
    return block, {"x": torch.randn(4, o3.Irreps(block.inputs["features"].irreps).dim, dtype=torch.float64)}


def test_a_block_s_call_is_its_module_s(built: E3nnModel) -> None:
    block, arguments = linear(built)
    function, positional, named = built.native(block, {"features": arguments["x"]})
    wanted = built.model.get_submodule(block.name)(arguments["x"])
    assert torch.equal(built.call(block, {"features": arguments["x"]}), wanted)
    assert torch.equal(function(*positional, **named), wanted)


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_a_prepared_block_has_the_format_s_types_and_goes_back(built: E3nnModel, name: str) -> None:
    block, _ = linear(built)
    module = built.model.get_submodule(block.name)
    before = module.weight.detach().clone()
    with built.prepared(block, FORMATS[name]):
        assert module.weight.dtype == FORMATS[name].storage
    assert torch.equal(module.weight, before)


def test_its_construction_is_upstream_s() -> None:
    make, words = BACKEND.construction()
    assert words == "building a model" and type(make()).__name__ == "ScaleShiftMACE"
    assert BACKEND.unavailable("cpu") is None
