"""Rows of full size that no sample has: named where they are wrong, and not where they are sound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from mpcheck.adapters.backends.e3nn import E3nnModel
from mpcheck.adapters.blocks import Block
from mpcheck.checks import every_row
from mpcheck.checks.every_row import EveryRow
from mpcheck.checks.precision import CellKey
from mpcheck.formats import get_format
from mpcheck.judge.replay import FORWARD
from mpcheck.records.record import Record
from mpcheck.sessions.precision.whole import whole_records
from mpcheck.sessions.precision.work import planned_whole
from mpcheck.sessions.run import Options, Session

SYSTEM, ATOMS, EDGES = "builtin:diamond:3", 216, 15_052
"""Of which blocks see half."""
CONV, HARMONICS, SUM = "interactions.0.conv_tp", "spherical_harmonics", "interactions.0.scatter"
SCATTERED = torch.arange(15) * 997 + 40


@pytest.fixture(scope="module")
def session(cache: Path) -> Session:
    return Session(Options(systems=(SYSTEM,), backends=("e3nn", "cueq"), cache=cache))


def judged(session: Session, blocks: Sequence[str], fmt: str, backend: str = "e3nn") -> dict[str, Record]:
    found = EveryRow(session.check(SYSTEM), session.graph(SYSTEM), blocks, [get_format(fmt)], [backend]).run({"system": SYSTEM})
    return {record.subject: record for record in found}


@pytest.fixture
def spoil(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Rows of a block's result are wrong in lower precision by some units of its roundoff, where it has all of them."""

    def plant(block: str, rows: torch.Tensor | slice, units: float) -> None:
        right = E3nnModel.call

        def call(self: E3nnModel, own: Block, arguments: dict[str, Any]) -> Any:
            result = right(self, own, arguments)
            if own.name == block and result.dtype != torch.float64 and len(result) in (ATOMS, EDGES):
                unit = get_format(str(result.dtype).removeprefix("torch.")).u
                wrong = result.double()
                wrong[rows] *= 1 + units * unit
                return wrong.to(result.dtype)
            return result

        monkeypatch.setattr(E3nnModel, "call", call)

    return plant


@pytest.mark.parametrize(
    ("block", "fmt", "rows", "units"),
    [
        pytest.param(CONV, "float32", torch.tensor([14_000]), 20, id="one-row"),
        pytest.param(CONV, "bfloat16", SCATTERED, 40, id="a-thousandth-of-the-edges"),
        pytest.param(HARMONICS, "bfloat16", slice(EDGES - EDGES % 64, EDGES), 20, id="the-last-tile"),
        pytest.param(HARMONICS, "float32", slice(12_288, 12_304), 20, id="by-number"),
        pytest.param(SUM, "float32", torch.tensor([77, 201]), 40, id="a-hundredth-of-the-atoms"),
    ],
)
def test_rows_that_no_sample_has_are_seen_and_named(block: str, fmt: str, rows: Any, units: float, session: Session, spoil: Any) -> None:
    sound = judged(session, [block], fmt)[block]
    assert (sound.verdict, sound.system) == ("pass", SYSTEM), sound.reason
    assert sound.figures["row"] < 0.6 * sound.figures["row_limit"] and sound.figures["rows"] in (ATOMS, EDGES)
    spoil(block, rows, units)
    faulty = judged(session, [block], fmt)[block]
    wrong = torch.arange(EDGES)[rows].tolist()
    assert faulty.verdict == "fail" and faulty.reason.startswith(f"{block}: ") and "errs by" in faulty.reason, faulty
    assert any(f" {row:,}" in faulty.worst for row in wrong) and 0.5 * len(wrong) <= faulty.figures["wrong_rows"] <= len(wrong), faulty
    cell = session.check(SYSTEM).replayed(CellKey(SYSTEM, block, "e3nn", fmt, FORWARD), get_format(fmt))
    assert cell.verdict == "pass", "a sample has none of these rows"


def test_the_whole_model_is_blind_to_such_a_row(session: Session, spoil: Any) -> None:
    spoil(CONV, torch.tensor([14_000]), 20)
    one = replace(session.options, formats=("float32",), backends=("e3nn",))
    (record,) = whole_records(Session(one, session.model), planned_whole(SYSTEM))
    assert record.verdict == "pass"


def test_what_a_block_raises_at_full_size_alone_is_its_own_record(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    right = E3nnModel.call

    def call(self: E3nnModel, own: Block, arguments: dict[str, Any]) -> Any:
        result = right(self, own, arguments)
        if own.name == CONV and len(result) == EDGES and result.dtype != torch.float64:
            raise RuntimeError("too many rows")
        return result

    monkeypatch.setattr(E3nnModel, "call", call)
    found = judged(session, [CONV, HARMONICS], "float32")
    assert found[CONV].verdict == "fail" and "too many rows" in found[CONV].reason
    assert found[HARMONICS].verdict == "pass"


@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
def test_a_row_that_is_no_number_is_red(wrong: float, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    right = E3nnModel.call

    def call(self: E3nnModel, own: Block, arguments: dict[str, Any]) -> Any:
        result = right(self, own, arguments)
        if own.name == CONV and len(result) == EDGES and result.dtype != torch.float64:
            result[9_000, 0] = wrong
        return result

    monkeypatch.setattr(E3nnModel, "call", call)
    record = judged(session, [CONV], "float32")[CONV]
    assert record.verdict == "fail" and record.ratio is None


def test_a_result_of_another_shape_is_red(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    right = E3nnModel.call

    def call(self: E3nnModel, own: Block, arguments: dict[str, Any]) -> Any:
        result = right(self, own, arguments)
        return result[:-1] if own.name == CONV and len(result) == EDGES and result.dtype != torch.float64 else result

    monkeypatch.setattr(E3nnModel, "call", call)
    record = judged(session, [CONV], "float32")[CONV]
    assert record.verdict == "fail"


def test_a_block_that_is_not_called_at_full_size_has_a_red_record(session: Session) -> None:
    found = judged(session, [CONV, "nowhere"], "float32")
    assert found["nowhere"].verdict == "fail" and "not called" in found["nowhere"].reason and found[CONV].verdict == "pass"


def test_a_model_that_differentiates_on_its_way_is_judged_with_gradients(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = type(session.reference_backend.model)
    right = kind.forward

    def forward(self: torch.nn.Module, *args: Any, **kwargs: Any) -> Any:
        assert torch.is_grad_enabled(), "it asks for a gradient"
        return right(self, *args, **kwargs)

    monkeypatch.setattr(kind, "forward", forward)
    assert judged(session, [CONV], "float32")[CONV].verdict == "pass"


@pytest.mark.slow
def test_every_block_in_every_format_on_both_backends_is_sound(session: Session) -> None:
    blocks = every_row.judged(session.blocks(SYSTEM))
    assert "radial_embedding" in blocks and "interactions.0" not in blocks and SUM in blocks
    check = EveryRow(session.check(SYSTEM), session.graph(SYSTEM), blocks, session.formats, session.backend_names)
    records = check.run({"system": SYSTEM})
    assert len(records) > 250 and {r.verdict for r in records} <= {"pass", "unsupported"}, [r.reason for r in records if r.verdict == "fail"]
    assert max(r.share for r in records) < 0.95
