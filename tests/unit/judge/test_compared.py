"""Comparisons with a limit: the largest share is the worst, whatever is not a number."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest

from mpcheck.judge.compared import Compared


@dataclass(frozen=True)
class Off(Compared):
    what: str
    ratio: float
    limit: float = 2.0


@pytest.mark.parametrize(("ratio", "fails"), [(0.0, False), (2.0, False), (2.1, True), (math.inf, True), (math.nan, True)])
def test_what_is_no_number_fails(ratio: float, fails: bool) -> None:
    assert Off("energy", ratio).fails is fails


@pytest.mark.parametrize("ratio", [math.nan, math.inf])
def test_nothing_is_farther_off_than_what_is_no_number(ratio: float) -> None:
    rows = [Off("a", 1e300), Off("b", ratio), Off("c", 5.0)]
    assert max(rows, key=lambda r: r.share).what == "b"


def test_a_share_is_of_its_own_limit() -> None:
    assert Off("a", 3.0).share == 1.5 and Off("a", 3.0, 6.0).share == 0.5
