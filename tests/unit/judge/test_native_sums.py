"""A known way of adding is told from any other fault of a sum by doing it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from mpcheck.adapters.upstream import mace
from mpcheck.checks.precision import CellKey
from mpcheck.formats import get_format
from mpcheck.judge.native_sums import EQUAL_TERMS, in_native_order, native, occurrences
from mpcheck.records.record import Record
from mpcheck.sessions.precision.limits import judge_by_limits
from mpcheck.sessions.precision.suite import Suite
from mpcheck.sessions.run import Options, Session
from tests.faults.planted import replaced_attribute

CRYSTAL = "builtin:diamond:3"
Sum = Callable[..., torch.Tensor]


def test_each_addition_is_rounded_in_the_order_given() -> None:
    terms, index = torch.tensor([0.1] * 40 + [7.0] * 3, dtype=torch.float32), torch.tensor([0, 1] * 20 + [1, 0, 0])
    by_hand = torch.zeros(3, dtype=torch.float32)
    for value, row in zip(terms, index, strict=True):
        by_hand[row] += value
    found = in_native_order(terms, index, 3)
    assert found is not None and torch.equal(found, by_hand)
    columns = in_native_order(terms.reshape(-1, 1).expand(-1, 2), index, 3)
    assert columns is not None and torch.equal(columns, by_hand.unsqueeze(1).expand(-1, 2))
    assert in_native_order(terms.bfloat16(), index, 3) is None
    assert occurrences(terms) == 21.5 and occurrences(torch.arange(4.0)) == 1.0
    assert native(get_format("float32"), "cpu") and not native(get_format("bfloat16"), "cpu")


@pytest.fixture(scope="module")
def crystal(cache: Path) -> Session:
    """216 carbon atoms, all alike."""
    return Session(Options(systems=(CRYSTAL,), backends=("e3nn",), formats=("float64", "float32", "tf32"), blocks=("energy_sum*",), cache=cache))


def judged(session: Session, tmp_path: Path, fmt: str = "float32", change: Callable[[Sum], Sum] = lambda s: s) -> Record:
    """The sum of E0 where its limit is that of terms that differ, whatever the noise model makes of equal ones."""
    key = CellKey(CRYSTAL, "energy_sum", "e3nn", fmt, "forward")
    session.library(CRYSTAL).get(key.block)
    with replaced_attribute(mace.modules.models, "scatter_sum", change(mace.modules.models.scatter_sum)):
        assert judge_by_limits(session, key).id
        return Suite(session, tmp_path).judge(key)


@pytest.mark.parametrize("fmt", ["float32", "tf32"])
def test_equal_energies_added_one_by_one_are_upstreams_fault_in_a_run_too(crystal: Session, tmp_path: Path, fmt: str) -> None:
    cell = judged(crystal, tmp_path, fmt)
    assert cell.verdict in ("known-fault", "pass"), cell.reason
    if cell.verdict == "known-fault":
        assert cell.cause == EQUAL_TERMS and "[known fault e0-summed-in-working-precision-cells" in cell.reason and not cell.red


def without_the_last(original: Sum) -> Sum:
    return lambda src, index, **k: original(src=src[:-1], index=index[:-1], **k)


def off(original: Sum) -> Sum:
    return lambda src, **k: original(src=src, **k) * (1 if src.dtype == torch.float64 else 1 + 2.0**-15)


def in_bfloat16(original: Sum) -> Sum:
    return lambda src, **k: original(src=src, **k) if src.dtype == torch.float64 else original(src=src.bfloat16(), **k).to(src.dtype)


@pytest.mark.parametrize("fault", [without_the_last, off, in_bfloat16])
def test_a_planted_fault_of_the_same_sum_stays_red(crystal: Session, tmp_path: Path, fault: Any) -> None:
    cell = judged(crystal, tmp_path, change=fault)
    assert (cell.verdict, cell.cause) == ("fail", "")
