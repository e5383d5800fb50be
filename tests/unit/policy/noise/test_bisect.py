"""The blocks to blame are found, whatever else errs, and nothing is blamed that is not."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import pytest
import torch

from mpcheck._errors import InputError
from mpcheck.policy.evaluation import evaluate
from mpcheck.policy.noise.bisect import Blame, blamed, restored
from mpcheck.policy.noise.prediction import rms
from mpcheck.policy.rules import Policy, builtin
from mpcheck.policy.running.applied import apply
from mpcheck.policy.running.wrapped import Wrapped
from tests.unit.policy.helpers.small import box, calls, graph_of, model

BLOCKS = [f"block.{i}" for i in range(16)]
POLICY = Policy(name="x", base="bfloat16")


def _measure(errors: Mapping[str, float], rest: float = 0.0) -> Callable[[Policy], float]:
    """Blocks err by 0.1 each, or as said; errors add up in quadrature."""

    def error(policy: Policy) -> float:
        exact = {b for rule in policy.rules if rule.compute == "float64" for b in rule.blocks}
        return math.sqrt(rest**2 + sum(errors.get(b, 0.1) ** 2 for b in BLOCKS if b not in exact))

    return error


@pytest.mark.parametrize("guilty", range(16))
def test_one_block(guilty: int) -> None:
    found = blamed(POLICY, BLOCKS, _measure({f"block.{guilty}": 5.0}), limit=0.6)
    assert found.blocks == (f"block.{guilty}",) and found.complete and found.after < 0.6
    assert found.measurements <= 8
    assert f"block.{guilty} is to blame" in found.text


@pytest.mark.parametrize("guilty", [(0, 15), (3, 4), (14, 15), (0, 1, 2)])
def test_several_blocks(guilty: tuple[int, ...]) -> None:
    found = blamed(POLICY, BLOCKS, _measure({f"block.{i}": 5.0 for i in guilty}), limit=0.6)
    assert set(found.blocks) == {f"block.{i}" for i in guilty} and found.complete


def test_values_that_are_no_numbers() -> None:
    errors = _measure({"block.7": math.inf})
    found = blamed(POLICY, BLOCKS, lambda p: math.nan if math.isinf(errors(p)) else errors(p), limit=0.6)
    assert found.blocks == ("block.7",)


def test_nothing_is_blamed_within_the_limit_nor_where_blocks_are_exact() -> None:
    assert blamed(POLICY, BLOCKS, _measure({}), limit=0.6).blocks == ()
    between = blamed(POLICY, BLOCKS, _measure({"block.3": 5.0}, rest=3.0), limit=0.6)
    assert between.blocks == () and not between.complete and "between the blocks" in between.text
    assert between.measurements == 2


def test_more_than_can_be_named() -> None:
    found = blamed(POLICY, BLOCKS, _measure(dict.fromkeys(BLOCKS[::2], 5.0)), limit=0.6)
    assert len(found.blocks) == 4 and not found.complete and found.text.endswith("more blocks are")


def test_autocast_cannot_be_restored() -> None:
    with pytest.raises(InputError, match="autocast decides by itself"):
        restored(builtin()["autocast-bf16"], ["block.0"])


def test_a_block_that_truncates() -> None:
    """Ten times the error of rounding, in one linear layer of a model in bfloat16."""
    graph, blocks = graph_of(box()), [b.module_path for b in calls().blocks if b.kind == "leaf"]
    exact = evaluate(model(), graph)

    def measured(policy: Policy, faulty: bool = True) -> float:
        low = apply(model(), policy)
        block = low.model.get_submodule("interactions.1.linear")
        if faulty and isinstance(block, Wrapped) and block.compute == torch.bfloat16:
            block.register_forward_hook(lambda m, args, out: out * (1 + 2.0**-4))
        return rms(evaluate(low, graph).forces - exact.forces)

    policy = builtin()["linear-bf16"]
    found: Blame = blamed(policy, blocks, measured, limit=1.5 * measured(policy, faulty=False))
    assert found.blocks == ("interactions.1.linear",)
