"""Which structures can test forces."""

from __future__ import annotations

from ase.build import bulk

from mpcheck.policy.judging.force_tests import force_tests
from mpcheck.policy.judging.reference import whole_reference
from mpcheck.policy.judging.structures import structure_sets
from tests.unit.policy.judged_samples import crystal, judged_by, small


def test_a_perfect_crystal_is_refused_and_its_copies_are_not() -> None:
    """Also with coordinates that a file has rounded to four digits; the reason is told in words."""
    rounded = bulk("HO", "cesiumchloride", a=2.4) * (3, 1, 1)
    rounded.positions = rounded.positions.round(4)
    made = structure_sets([crystal(), rounded], small().r_max)
    found = force_tests(made, whole_reference(small(), made, in_process=True).evaluation)
    assert set(found.refused) == set(made.places("own"))
    assert "no test of forces" in found.refused[0] and "by symmetry" in found.refused[0]
    assert min(found.scales) > 0


def test_ordinary_structures_are_tests() -> None:
    """Water, its copies and its contacts, all of them."""
    assert not judged_by().refused
