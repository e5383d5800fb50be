"""What only one call of a process gets wrong, its first, its second or a later one, is red in the block that it is in, in references and in cells."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from mpcheck.adapters.upstream import mace
from mpcheck.checks.precision import CellKey
from mpcheck.records.record import Record
from mpcheck.reference.faults import UnsteadyError
from mpcheck.sessions.precision.limits import judge_by_limits
from mpcheck.sessions.run import Options, Session
from tests.conftest import SYSTEM
from tests.faults.planted import replaced_attribute

BLOCK, SCALE = "scale_shift", 1 + 1e-4
OTHER = "node_embedding.linear"


class _LateGradient(torch.autograd.Function):
    """The identity; its derivative is wrong as long as ``wrong()`` says so."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, wrong: Callable[[], bool]) -> torch.Tensor:
        ctx.wrong = wrong
        return x.clone()

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, None]:
        return grad * (SCALE if ctx.wrong() else 1.0), None


@contextlib.contextmanager
def wrong_call(number: int, dtype: torch.dtype, backward: bool = False) -> Iterator[None]:
    """One call of ``ScaleShiftBlock``, counted for the class and among those in one type, or one differentiation of it, is off by 1e-4."""
    owner, calls = mace.modules.blocks.ScaleShiftBlock, [0]
    original = owner.forward

    def wrong() -> bool:
        calls[0] += 1
        return calls[0] == number

    def forward(self: torch.nn.Module, x: torch.Tensor, head: torch.Tensor) -> torch.Tensor:
        out = original(self, x, head)
        if out.dtype != dtype:
            return out
        return _LateGradient.apply(out, wrong) if backward else out * (SCALE if wrong() else 1.0)

    with replaced_attribute(owner, "forward", forward):
        yield


@pytest.fixture
def cold(tmp_path: Path) -> Session:
    """A process' first session, with no reference made yet."""
    return Session(Options(systems=(SYSTEM,), backends=("e3nn",), formats=("float64", "float32"), blocks=(BLOCK, OTHER), cache=tmp_path))


# the third differentiation is the whole model's: what it gives is a cotangent, which reference and cells are computed with alike
@pytest.mark.parametrize(("number", "backward"), [*((n, False) for n in (1, 2, 3, 4, 5)), *((n, True) for n in (1, 2, 4, 5))])
def test_a_reference_of_which_one_call_was_wrong_is_none(cold: Session, number: int, backward: bool) -> None:
    with wrong_call(number, torch.float64, backward):
        with pytest.raises(UnsteadyError, match=f"^{BLOCK} computes other float64 values in ") as caught:
            cold.library(SYSTEM).get(BLOCK)
        assert caught.value.block == BLOCK
        cells = [judge_by_limits(cold, key) for key in cold.cells()]
    red = [c for c in cells if c.verdict == "fail"]
    assert {c.subject for c in red} == {BLOCK} and len(red) == 4
    assert all("nothing can be judged by them" in c.reason for c in red)


def test_without_a_fault_the_same_is_green(cold: Session) -> None:
    with wrong_call(-1, torch.float64):
        assert {judge_by_limits(cold, key).verdict for key in cold.cells()} == {"pass"}
    assert not any(entry["unsteady"] for entry in cold.library(SYSTEM).index["entries"].values())


def judged(session: Session, fmt: str, backend: str = "e3nn") -> list[Record]:
    """A block's two cells in the order of the session."""
    return [judge_by_limits(session, CellKey(SYSTEM, BLOCK, backend, fmt, direction)) for direction in ("forward", "backward")]


@pytest.mark.parametrize("fmt", ["float64", "float32"])
@pytest.mark.parametrize(("number", "red"), [(1, "forward"), (2, "forward"), (3, "backward")])
def test_each_call_of_a_cell_is_judged(session: Session, fmt: str, number: int, red: str) -> None:
    with wrong_call(number, getattr(torch, fmt)):
        cells = judged(session, fmt)
    assert [c.variant for c in cells if c.verdict == "fail"] == [red]
    assert ("in a later call" in next(c.reason for c in cells if c.variant == red)) == (number > 1)
    assert [c.verdict for c in judged(session, fmt)] == ["pass", "pass"]


def test_a_backward_cell_alone_judges_the_call_that_it_differentiates(session: Session) -> None:
    key = CellKey(SYSTEM, BLOCK, "e3nn", "float32", "backward")
    judged(session, "float64")
    with wrong_call(1, torch.float32):
        cell = judge_by_limits(session, key)
    assert cell.verdict == "fail" and "out: in a later call" in cell.reason
    assert judge_by_limits(session, key).verdict == "pass"


def test_calls_of_equal_bits_are_judged_once(session: Session) -> None:
    """The records of sound code are those of one call."""
    for fmt in ("float64", "bfloat16"):
        forward, backward = judged(session, fmt)
        assert [q.name for q in forward.quantities] == ["out"]
        assert all(q.name.startswith(("grad.", "weight.")) for q in backward.quantities)
