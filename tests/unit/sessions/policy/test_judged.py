"""What is made of an error report."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from ase import Atoms

from mpcheck.policy.judging.errors import ErrorReport, NonFiniteValue, Parity
from mpcheck.policy.judging.structures import Sets, StructureSet
from mpcheck.policy.rules import get_policy
from mpcheck.records.record import Record
from mpcheck.sessions.policy.judged import _finite, _parity, foreseen


def judged(parity: Parity, energy: float, known: float = 0.0) -> list[Record]:
    predicted: Any = SimpleNamespace(chance_rms=energy, known_rms=known)
    return [*_parity(ErrorReport(parity=parity), predicted, {"check": "policy", "subject": "readout-int8w", "system": "builtin:diamond"})]


@pytest.mark.parametrize(
    ("offset", "energy", "verdict"),
    [(39.7, 39.0, "pass"), (39.7, 0.01, "fail"), (5000.0, 39.0, "fail"), (5.0, 0.01, "pass")],
    ids=["equal atoms err alike", "an offset of none", "an atom's whole energy", "within the scatter"],
)
def test_an_atom_less_errs_by_an_atom_less(offset: float, energy: float, verdict: str) -> None:
    """Measured: int8 read-outs on eight atoms of diamond, of which copies lack one."""
    (found,) = judged(Parity(offset, 2.6, odd=8, even=9, atoms=1.0), energy)
    assert found.verdict == verdict and (verdict == "pass") == (not found.reason)


@pytest.mark.parametrize(("known", "verdict"), [(8.4, "pass"), (0.0, "fail"), (0.01, "fail")])
def test_a_rounding_that_flips_is_no_offset_where_nothing_else_is_left(known: float, verdict: str) -> None:
    (found,) = judged(Parity(-0.0153, 2.1e-11, odd=4, even=20, atoms=1.0), 7.4e-05, known)
    assert found.verdict == verdict


def test_no_parity_of_structures_of_one() -> None:
    assert judged(Parity(None, None, 0, 9), 1.0) == []


LOST = NonFiniteValue("supercell", "2 x 2 x 2 cells", 1, None, "1 of 1 (supercell): values that are no numbers")


@pytest.mark.parametrize(("anyway", "verdict"), [({"supercell": 1}, "unsupported"), ({}, "fail"), ({"rattled": 1}, "fail")])
def test_a_sum_that_16_bits_do_not_hold_is_no_fault_where_its_emulation_loses_it_too(anyway: Any, verdict: str) -> None:
    """Measured: energies of isolated atoms of 264 atoms, added up in float16."""
    predicted: Any = SimpleNamespace(overflowing=(), energy_rms=math.inf, force_rms=1.0, stress_rms=1.0)
    found = _finite(ErrorReport(nonfinite=(LOST,)), predicted, get_policy("all-fp16"), {"check": "policy", "subject": "all-fp16"}, anyway)
    assert found.verdict == verdict and "supercell" in found.reason


def test_structures_whose_emulated_energy_is_no_number_are_counted_by_kind() -> None:
    one = Atoms("H", positions=[[0, 0, 0]])
    sets = Sets(
        (StructureSet("own", (one,), ("a",)), StructureSet("contacts", (one, one), ("b", "c")), StructureSet("supercell", (one,), ("d",))), ()
    )
    predicted: Any = SimpleNamespace(energy=torch.tensor([1.0, math.inf]))
    assert foreseen(sets, predicted) == {"supercell": 1}
