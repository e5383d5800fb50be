"""Budgets in words."""

from __future__ import annotations

import math

import pytest

from mpcheck._errors import InputError
from mpcheck.policy.accuracy import Budget, parse_budget


@pytest.mark.parametrize(
    ("text", "energy", "force"),
    [
        ("1 meV/atom, 10 meV/Å", 1.0, 10.0),
        ("10meV/A; 1meV/atom", 1.0, 10.0),
        ("0.001 eV/atom and 0.01 eV/Å", 1.0, 10.0),
        ("1 meV/atom, 10 meV/A\u030a", 1.0, 10.0),  # a ring that is combined
        ("1 meV/atom, 10 meV/\u212b", 1.0, 10.0),  # the sign of the unit
        ("1e-1 MEV/ATOM", 0.1, math.inf),
        ("10 meV / Angstrom", math.inf, 10.0),
    ],
)
def test_what_people_write_is_read(text: str, energy: float, force: float) -> None:
    found = parse_budget(text)
    assert math.isclose(found.energy_meV_per_atom, energy) and math.isclose(found.force_meV_per_A, force)
    assert parse_budget(str(found)) == found


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "''"),
        ("1 meV", "'1 meV'"),
        ("1 kcal/mol", "'1 kcal/mol'"),
        ("1 meV/atom, 2 meV/atom", "two limits of the energy"),
        ("1 meV/atom,", "''"),
        ("meV/atom", "'meV/atom' needs a positive number"),
        ("-1 meV/atom", "'-1 meV/atom' needs a positive number"),
        ("0 meV/Å", "'0 meV/Å' needs"),
        ("nan meV/Å", "'nan meV/Å' needs"),
        ("inf meV/Å", "'inf meV/Å' needs"),
        ("1,5 meV/atom", "with a decimal point"),
    ],
)
def test_what_is_no_budget_is_refused_in_a_line_that_says_how(text: str, part: str) -> None:
    with pytest.raises(InputError) as refused:
        parse_budget(text)
    assert part in str(refused.value) and "1 meV/atom, 10 meV/Å" in str(refused.value)


def test_nan_is_within_no_budget() -> None:
    budget = Budget(1.0, 10.0)
    assert budget.allows(1.0, 10.0) and not budget.allows(math.nan, 1.0) and not budget.allows(0.5, math.nan)
    assert budget.share(0.5, 20.0) == 2.0 and math.isinf(budget.share(math.nan, 0.0)) and Budget().share(5.0, 5.0) == 0.0
    assert not Budget(1.0).allows(0.5, math.nan)
