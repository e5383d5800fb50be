"""Every order of six components but Voigt's is told apart, on numbers of a model."""

from __future__ import annotations

import math
from itertools import permutations

import torch

from mpcheck.checks.uses.asking import structures
from mpcheck.checks.uses.door import Door
from mpcheck.checks.uses.results import VOIGT, voigt
from mpcheck.sessions.run import Session
from tests.unit.checks.uses.asked import case_of_doors


def test_voigt() -> None:
    full = torch.arange(9.0).reshape(3, 3)
    assert voigt(full).tolist() == [0.0, 4.0, 8.0, 5.0, 2.0, 1.0]
    assert [f"{'xyz'[i]}{'xyz'[j]}" for i, j in VOIGT] == ["xx", "yy", "zz", "yz", "xz", "xy"]


def test_every_permutation_is_red(run: Session) -> None:
    """719 of them, and of signs all but one."""
    case = case_of_doors(run, "calculator")
    door, frame = Door(case), structures(case)[0]
    wanted = {n: v for n, v in door.truth(frame).items() if n in ("stress", "stresses")}
    for order in permutations(range(6)):
        for name in wanted:
            (row,) = door.compared({name: wanted[name][..., list(order)]}, {name: wanted[name]}, frame, "crystal")
            assert (row.share <= 1.0) == (list(order) == list(range(6))), (name, order)
    for component in range(6):
        turned = wanted["stress"].clone()
        turned[component] *= -1
        (row,) = door.compared({"stress": turned}, {"stress": wanted["stress"]}, frame, "crystal")
        assert row.share > 1.0 and not math.isnan(row.ratio)
