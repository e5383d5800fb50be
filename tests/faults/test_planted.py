"""Each planted fault turns its cell red and names the block; without it the same cell is green."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest
import torch

from mpcheck.records.record import Record
from mpcheck.sessions.run import Session
from tests.faults import planted

Judge = Callable[..., Record]


def assert_red_then_green(judge: Judge, fault: contextlib.AbstractContextManager[None], block: str, fmt: str, direction: str, says: str) -> None:
    clean = judge(block, fmt, direction)
    assert clean.verdict == "pass", clean.reason
    with fault:
        cell = judge(block, fmt, direction)
    assert cell.verdict == "fail", f"not seen: worst ratio {cell.worst_rms}, clean {clean.worst_rms}"
    assert cell.subject == block
    assert says in cell.reason
    assert judge(block, fmt, direction).quantities == clean.quantities, "the fault was not taken out"


@pytest.mark.parametrize(
    "block",
    ["node_embedding.linear", "interactions.0.linear_up", "interactions.0.conv_tp_weights", "interactions.1.linear", "products.0.linear",
     "products.1.symmetric_contractions", "readouts.1.linear_1"],
)  # fmt: skip
def test_weights_through_bfloat16_before_float16(judge: Judge, block: str) -> None:
    assert_red_then_green(judge, planted.weights_through(torch.bfloat16, torch.float16), block, "float16", "forward", "ratio")


@pytest.mark.parametrize("block", ["interactions.1.conv_tp", "products.0.symmetric_contractions", "products.1.symmetric_contractions"])
def test_clebsch_gordan_table_in_bfloat16_in_a_float32_run(judge: Judge, block: str) -> None:
    assert_red_then_green(judge, planted.tables_through(torch.bfloat16), block, "float32", "forward", "rms ratio")


@pytest.mark.parametrize(
    "block",
    ["spherical_harmonics", "interactions.0.conv_tp", "interactions.1.conv_tp", "interactions.0.linear", "interactions.1.linear",
     "products.0.linear", "readouts.1.linear_1", "readouts.1.non_linearity"],
)  # fmt: skip
def test_truncating_instead_of_rounding(judge: Judge, session: Session, block: str) -> None:
    module = session.reference_backend.model.get_submodule(block)
    assert_red_then_green(judge, planted.truncating(module), block, "bfloat16", "forward", "out: ")


@pytest.mark.parametrize("block", ["interactions.0.scatter", "interactions.1.scatter"])
def test_scatter_truncating_instead_of_rounding(judge: Judge, block: str) -> None:
    assert_red_then_green(judge, planted.truncating_scatter(), block, "bfloat16", "forward", "out: ")


@pytest.mark.parametrize("block", ["interactions.0.scatter", "interactions.1.scatter"])
def test_scatter_accumulating_in_bfloat16(judge: Judge, block: str) -> None:
    assert_red_then_green(judge, planted.sequential_scatter(torch.bfloat16), block, "bfloat16", "forward", "out: ")


@pytest.mark.parametrize(
    ("block", "fmt"), [("interactions.1.linear", "float32"), ("interactions.1.linear", "float16"), ("interactions.0.skip_tp", "float32")]
)
def test_one_slice_of_a_weight_gradient_scaled(judge: Judge, session: Session, block: str, fmt: str) -> None:
    weight = session.reference_backend.model.get_submodule(block).weight
    assert_red_then_green(judge, planted.scaled_weight_gradient(weight, slice(0, 64), 1.02), block, fmt, "backward", "weight.")


def test_nan_is_red(judge: Judge, session: Session) -> None:
    module = session.reference_backend.model.spherical_harmonics
    original = module.forward

    def poisoned(x: torch.Tensor) -> torch.Tensor:
        return original(x) * float("nan")

    assert_red_then_green(judge, planted.replaced_attribute(module, "forward", poisoned), "spherical_harmonics", "bfloat16", "forward", "NaN")


def test_composite_names_the_leaf_too(judge: Judge) -> None:
    with planted.sequential_scatter(torch.bfloat16):
        assert judge("interactions.1.scatter", "bfloat16").verdict == "fail"
        assert judge("interactions.1.linear", "bfloat16").verdict == "pass"
        assert judge("products.1.linear", "bfloat16").verdict == "pass"
