"""Faults of a compiled calculator, told apart from upstream's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from mpcheck.sessions.run import Session
from tests.unit.checks.uses.planted import Calculator, Planted, Results, results
from tests.unit.checks.uses.small_models import judged, red


def compiled(change: Callable[[Any, Results], Results]) -> Planted:
    return results(lambda self, r: change(self, r) if self.use_compile else {})


def test_compiled_results(run: Session) -> None:
    """Forces of zero; an energy that is off for odd counts of atoms, or for even ones."""
    found = judged(run, "doors", "calculator-compiled")
    assert found["under float64"].verdict == "pass" and found["under float32"].verdict == "known-fault"
    faults: list[tuple[Callable[[Any, Results], Results], str]] = [
        (lambda _, r: {"forces": r["forces"] * 0}, "forces"),
        (lambda _, r: {"energy": r["energy"] + 1e-3 * (len(r["forces"]) % 2)}, "of 5 atoms"),
        (lambda _, r: {"energy": r["energy"] + 1e-3 * (1 - len(r["forces"]) % 2)}, "of 4 atoms"),
    ]
    for change, what in faults:
        with compiled(change):
            found_red = red(judged(run, "doors", "calculator-compiled"))
        assert set(found_red) == {"under float64", "under float32"} and what in found_red["under float64"], found_red


def test_compilation_is_put_back(run: Session) -> None:
    before = torch.compile
    judged(run, "doors", "calculator-compiled")
    assert torch.compile is before and Calculator is not None
