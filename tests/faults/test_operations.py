"""Which operation of a red block is to blame: faults of one operation each, planted and named; sound blocks, in which none is."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch

from mpcheck.checks.precision import CellKey
from mpcheck.formats import FORMATS
from mpcheck.judge.operations.found import Found
from mpcheck.records.record import Record
from mpcheck.sessions.operations import found_in, page_of
from mpcheck.sessions.precision.limits import judge_by_limits
from mpcheck.sessions.run import Session
from tests.conftest import SYSTEM
from tests.faults import narrowings, planted
from tests.faults.patches.arithmetic import _Chunked, _Rounded

Fault = contextlib.AbstractContextManager[Any]
BF16, F16, F32, F64 = torch.bfloat16, torch.float16, torch.float32, torch.float64


@dataclass(frozen=True)
class Planting:
    """A fault of one operation.

    Attributes:
        block, fmt, direction, backend: the cell that it is planted into.
        plant: makes it, from the block's module.
        says: pattern of the line that must name it: the operation, and where it is called.
    """

    block: str
    fmt: str
    direction: str
    plant: Callable[[Any], Fault]
    says: str
    backend: str = "e3nn"


HERE = r".*tests/faults/narrowings\.py"
CAST = rf"aten\._to_copy\.default{HERE}"
BACK = r"aten\._to_copy\.default, backward of .*tests/faults/narrowings\.py"
CUT = r"aten\.view\.dtype.*tests/faults/planted\.py"
PRODUCT = r"aten\.(mm|bmm)\.default"
SCATTERS = "scatter_add scatter_add_ index_add"

Plant = Callable[[Any], Fault]


def through(dtype: torch.dtype) -> Plant:
    return lambda module: narrowings.cast(module, dtype)


def backward_through(dtype: torch.dtype) -> Plant:
    return lambda module: narrowings.gradient_cast(module, dtype)


def kernels(names: str, dtype: torch.dtype, inside: torch.dtype) -> Plant:
    return lambda _: narrowings.kernels(names, dtype, inside)


def not_a_number(module: torch.nn.Module) -> Fault:
    return narrowings.changed(module, lambda x: x * float("nan"))


PLANTINGS = {
    "cast to bfloat16": Planting("interactions.1.linear", "float32", "forward", through(BF16), CAST),
    "cast to bfloat16 in tf32": Planting("products.0.linear", "tf32", "forward", through(BF16), CAST),
    "cast to bfloat16 in float16": Planting("readouts.1.linear_1", "float16", "backward", through(BF16), CAST),
    "cast to float32": Planting("interactions.0.conv_tp", "float64", "forward", through(F32), CAST),
    "cast in a composite": Planting("interactions.1", "float32", "backward", lambda m: narrowings.cast(m.linear_up, BF16), CAST),
    "cast in cuEquivariance": Planting("interactions.1.linear_up", "float64", "forward", through(F32), CAST, "cueq"),
    "cast of cuEquivariance's gradient": Planting("products.1.linear", "float64", "backward", backward_through(F32), BACK, "cueq"),
    "cast of a gradient": Planting("interactions.1.linear", "float32", "backward", backward_through(BF16), BACK),
    "product summed in bfloat16": Planting(
        "interactions.0.conv_tp_weights", "float32", "forward", lambda m: narrowings.summed_in(m[1], BF16), CAST
    ),
    "kernel of products in bfloat16": Planting("interactions.1.linear_up", "float32", "forward", kernels("mm bmm", F32, BF16), PRODUCT),
    "kernel of products in bfloat16, backward": Planting("readouts.1.linear_2", "float32", "backward", kernels("mm bmm", F32, BF16), PRODUCT),
    "kernel of einsum in float32": Planting("products.1.symmetric_contractions", "float64", "forward", kernels("bmm", F64, F32), PRODUCT),
    "kernel that rounds after every term": Planting("interactions.1.linear", "bfloat16", "forward", lambda _: _Chunked(1, BF16), PRODUCT),
    "operands as tf32's": Planting("interactions.0.skip_tp", "float32", "forward", lambda _: _Rounded(10), PRODUCT),
    "kernel of scatter in bfloat16": Planting(
        "interactions.1.scatter", "float32", "forward", kernels(SCATTERS, F32, BF16), r"aten\.scatter_add"
    ),
    "scatter row by row in bfloat16": Planting(
        "interactions.1.scatter", "bfloat16", "forward", lambda _: planted.sequential_scatter(BF16), r"aten\.add\.Tensor.*planted\.py"
    ),
    "truncation": Planting("products.0.linear", "bfloat16", "forward", planted.truncating, CUT),
    "truncated sums": Planting("interactions.0.scatter", "bfloat16", "forward", lambda _: planted.truncating_scatter(), CUT),
    "kernel of silu in float16": Planting("readouts.1.non_linearity", "float32", "forward", kernels("silu", F32, F16), r"aten\.silu\.default"),
    "weights through bfloat16": Planting(
        "interactions.0.linear_up", "float16", "forward", lambda _: planted.weights_through(BF16, F16), "stored: weight errs"
    ),
    "tables through bfloat16": Planting(
        "interactions.1.conv_tp", "float32", "forward", lambda _: planted.tables_through(BF16), "stored: .*w3j.* errs"
    ),
    "not a number": Planting("readouts.0.linear", "bfloat16", "forward", not_a_number, r"aten\.mul\.Tensor.*test_operations\.py"),
}  # fmt: skip
"""By name; where a fault is in a function of autograd's own, a product's kernel, a table, or a sum of several operations, it is found there."""


def look(session: Session, key: CellKey) -> tuple[Record, Found, str]:
    cell = judge_by_limits(session, key)
    found = found_in(session, key, cell)
    return cell, found, "\n".join(page_of(found, key, cell))


@pytest.mark.parametrize("name", PLANTINGS)
def test_a_planted_operation_is_named(session: Session, name: str) -> None:
    one = PLANTINGS[name]
    key = CellKey(SYSTEM, one.block, one.backend, one.fmt, one.direction)
    backend: Any = session.backend(one.backend)
    with one.plant(backend.module(backend.here(session.library(SYSTEM).block(one.block)))):
        cell, _, page = look(session, key)
    assert cell.verdict == "fail", "the fault does not turn its cell red"
    head = page.split("largest errors")[0]
    named = [line for line in head.splitlines() if line.startswith(("  ", "stored"))]
    assert named, page
    assert re.search(one.says, named[0]), page
    _, found, page = look(session, key)
    assert found.first is None, page
    assert not found.stored, page


def test_another_formula_is_told_from_a_rounding(session: Session) -> None:
    module = session.reference_backend.model.get_submodule("interactions.1.linear")
    with narrowings.changed(module, lambda x: x * 1.25):
        _, found, page = look(session, CellKey(SYSTEM, "interactions.1.linear", "e3nn", "float32", "forward"))
    assert found.first is None
    assert found.formula == ["out"]
    assert "the formula, an index or a weight differs" in page


@pytest.mark.parametrize("fmt", FORMATS)
@pytest.mark.parametrize("block", ["interactions.1", "products.1", "readouts.1", "spherical_harmonics", "radial_embedding"])
def test_no_operation_of_a_sound_block_is_named(session: Session, block: str, fmt: str) -> None:
    seen = 0
    for direction in ("forward", "backward"):
        cell, found, page = look(session, CellKey(SYSTEM, block, "e3nn", fmt, direction))
        assert cell.verdict == "pass"
        assert found.first is None, page
        assert not found.stored, page
        assert not found.skipped
        assert "no operation rounds more than its format explains" in page
        assert all(o.inherited < 0.5 for o in found.operations if o.rms), page
        seen += len(found.operations)
    assert seen > 20
