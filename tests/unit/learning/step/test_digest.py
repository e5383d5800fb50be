from __future__ import annotations

import torch

from mpcheck.learning.step.digest import PROJECTIONS, projections


def test_a_permutation_shows_in_every_projection() -> None:
    gradient = torch.randn(6, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    swapped = gradient.clone()
    swapped[0, 1], swapped[3, 2] = gradient[3, 2], gradient[0, 1]
    assert float(swapped.norm()) == float(gradient.norm()) or abs(float(swapped.norm() - gradient.norm())) < 1e-14
    assert projections("a", gradient).shape == (PROJECTIONS,)
    assert bool((projections("a", gradient) != projections("a", swapped)).all())
    assert bool((projections("a", gradient) != projections("a", gradient.t())).all())


def test_weights_are_the_names_own() -> None:
    gradient = torch.ones(100)
    assert torch.equal(projections("a", gradient), projections("a", gradient.double()))
    assert not torch.equal(projections("a", gradient), projections("b", gradient))
    assert bool((projections("a", gradient) / projections("a", 3 * gradient) - 1 / 3).abs().max() < 1e-12)
