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
from mpcheck.sessions.operations import _page, found_in
from mpcheck.sessions.precision.limits import judge_by_limits
from mpcheck.sessions.run import Session
from tests.conftest import SYSTEM
from tests.faults import narrowings, planted
from tests.faults.patches.arithmetic import _Chunked, _Rounded

Fault = contextlib.AbstractContextManager[Any]
BF16, F16, F32 = torch.bfloat16, torch.float16, torch.float32


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
PLANTED = r".*tests/faults/planted\.py"
PLANTINGS = {
    "cast to bfloat16": Planting("interactions.1.linear", "float32", "forward", lambda m: narrowings.cast(m, BF16), rf"aten\._to_copy.default{HERE}"),
    "cast to float16": Planting("products.0.linear", "tf32", "forward", lambda m: narrowings.cast(m, F16), rf"aten\._to_copy.default{HERE}"),
    "cast to float32": Planting("interactions.0.conv_tp", "float64", "forward", lambda m: narrowings.cast(m, F32), rf"aten\._to_copy.default{HERE}"),
    "cast to bfloat16 in a float16 cell": Planting(
        "readouts.1.linear_1", "float16", "backward", lambda m: narrowings.cast(m, BF16), rf"aten\._to_copy.default{HERE}"
    ),
    "cast inside a composite": Planting(
        "interactions.1", "float32", "backward", lambda m: narrowings.cast(m.linear_up, BF16), rf"aten\._to_copy.default, interactions\.1{HERE}"
    ),
    "cast in cuEquivariance's linear layer": Planting(
        "interactions.1.linear_up", "float64", "forward", lambda m: narrowings.cast(m, F32), rf"aten\._to_copy.default{HERE}", "cueq"
    ),
    "cast of cuEquivariance's gradient": Planting(
        "products.1.linear", "float64", "backward", lambda m: narrowings.gradient_cast(m, F32), rf"aten\._to_copy.default, backward of .*{HERE[2:]}", "cueq"
    ),
    "cast of a gradient": Planting(
        "interactions.1.linear", "float32", "backward", lambda m: narrowings.gradient_cast(m, BF16), rf"aten\._to_copy.default, backward of .*{HERE[2:]}"
    ),
    "matrix product summed in bfloat16": Planting(
        "interactions.0.conv_tp_weights", "float32", "forward", lambda m: narrowings.summed_in(m[1], BF16), rf"aten\._to_copy.default{HERE}"
    ),
    "kernel of mm that computes in bfloat16": Planting(
        "interactions.1.linear_up", "float32", "forward", lambda _: narrowings.kernels("mm bmm", F32, BF16), r"aten\.(mm|bmm)\.default, interactions\.1\.linear_up"
    ),
    "kernel of mm that computes in bfloat16, backward": Planting(
        "readouts.1.linear_2", "float32", "backward", lambda _: narrowings.kernels("mm bmm", F32, BF16), r"aten\.(mm|bmm)\.default"
    ),
    "kernel of einsum that computes in float32": Planting(
        "products.1.symmetric_contractions", "float64", "forward", lambda _: narrowings.kernels("bmm", torch.float64, F32), r"aten\.bmm\.default"
    ),
    "kernel of bmm that rounds after every 8 terms": Planting(
        "products.1.symmetric_contractions", "bfloat16", "forward", lambda _: _Chunked(2, BF16), r"aten\.bmm\.default"
    ),
    "operands of float32 products as tf32's": Planting(
        "interactions.0.skip_tp", "float32", "forward", lambda _: _Rounded(10), r"aten\.(mm|bmm)\.default, interactions\.0\.skip_tp"
    ),
    "kernel of scatter that adds in bfloat16": Planting(
        "interactions.1.scatter", "float32", "forward", lambda _: narrowings.kernels("scatter_add scatter_add_ index_add", F32, BF16), r"aten\.scatter_add"
    ),
    "scatter row by row in bfloat16": Planting(
        "interactions.1.scatter", "bfloat16", "forward", lambda _: planted.sequential_scatter(BF16), rf"aten\.add\.Tensor{PLANTED}"
    ),
    "truncation instead of rounding": Planting(
        "products.0.linear", "bfloat16", "forward", planted.truncating, rf"aten\.view\.dtype.*{PLANTED}"
    ),
    "truncated sums of messages": Planting(
        "interactions.0.scatter", "bfloat16", "forward", lambda _: planted.truncating_scatter(), rf"aten\.view\.dtype.*{PLANTED}"
    ),
    "kernel of silu in float16": Planting(
        "readouts.1.non_linearity", "float32", "forward", lambda _: narrowings.kernels("silu", F32, F16), r"aten\.silu\.default"
    ),
    "weights through bfloat16": Planting(
        "interactions.0.linear_up", "float16", "forward", lambda _: planted.weights_through(BF16, F16), r"stored: weight errs"
    ),
    "tables through bfloat16": Planting(
        "interactions.1.conv_tp", "float32", "forward", lambda _: planted.tables_through(BF16), r"stored: .*w3j.* errs"
    ),
    "not a number": Planting(
        "readouts.0.linear", "bfloat16", "forward", lambda m: narrowings.changed(m, lambda x: x * float("nan")), rf"aten\.mul\.Tensor{HERE}|aten\.mul\.Tensor.*test_operations"
    ),
}  # fmt: skip


def look(session: Session, key: CellKey) -> tuple[Record, Found, str]:
    cell = judge_by_limits(session, key)
    found = found_in(session, key, cell)
    return cell, found, "\n".join(_page(found, key, cell))


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
