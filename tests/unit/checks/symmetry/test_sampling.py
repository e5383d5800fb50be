"""Elements that are tried: fixed by a number, of every kind, and shrunk to the simplest that fails."""

from __future__ import annotations

import math

import torch

from mpcheck.adapters.facts.rotation import Turn
from mpcheck.checks.symmetry.group import Shift, Shuffle
from mpcheck.checks.symmetry.sampling import elements, simplest

LIKE = torch.zeros(1)
Q, P = (0.3, -0.5, 0.7, 0.2), (0.9, 0.1, 0.4, -0.3)


def test_the_spectrum_is_fixed_and_holds_every_kind() -> None:
    found = elements(0, 6, 6, 2)
    elements.cache_clear()
    assert found == elements(0, 6, 6, 2)
    assert found != elements(1, 6, 6, 2)
    assert {e.kind for e in found} == {"rotation", "inversion", "rotoinversion", "permutation", "translation", "lattice"}
    angles = [2 * math.acos(min(1.0, abs(e.quaternion[0]) / math.hypot(*e.quaternion))) for e in found if isinstance(e, Turn)]
    assert min(angles) == 0.0 and any(0 < a < 0.05 for a in angles) and any(abs(a - math.pi) < 1e-12 for a in angles)


def test_uniform_rotations_are_uniform() -> None:
    """The mean of D^1 over uniform rotations vanishes; of 400, within five standard errors of 1/sqrt(3 * 400)."""
    from mpcheck.checks.symmetry.sampling import _uniform

    mean = torch.stack([Turn(_uniform(n)).matrix(1, 1, LIKE) for n in range(400)]).mean(0)
    assert float(mean.abs().max()) < 5 / math.sqrt(1200)


def test_failures_shrink_to_the_simplest_element() -> None:
    every = elements(0, 6, 6, 2)
    turn = simplest(every[10], lambda e: isinstance(e, Turn) and any(e.quaternion[1:]))
    assert isinstance(turn, Turn) and turn.quaternion[0] in (0.0, 1.0), "a quarter or half turn"
    shuffle = simplest(Shuffle(True, True, seed=7), lambda e: isinstance(e, Shuffle) and e.atoms)
    assert isinstance(shuffle, Shuffle) and shuffle.swap is not None
    shift = simplest(Shift((33.0, -7.0, 80.0)), lambda e: isinstance(e, Shift) and abs(e.vector[2]) > 3, effort=500)
    assert isinstance(shift, Shift) and [abs(v) for v in shift.vector] == [0.0, 0.0, 4.0]
    assert simplest(Turn(Q), lambda e: e == Turn(Q)) == Turn(Q), "nothing simpler fails"


def test_shrinking_ends_when_its_effort_is_spent() -> None:
    asked = []
    simplest(Shift((33.0, -7.0, 80.0)), lambda e: bool(asked.append(e)) or abs(e.vector[2]) > 3, effort=5)  # type: ignore[union-attr, func-returns-value]
    assert len(asked) <= 5
