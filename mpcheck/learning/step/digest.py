"""A short digest of a gradient that sees a permutation of it: random projections, in which every element has a weight of its own.

A norm, a mean and a histogram are the same after two elements changed places; ``sum(r_i g_i)`` is not, unless ``r`` is the same for both. The
weights are drawn by the parameter's name, so that two runs, years apart, project on the same directions.
"""

from __future__ import annotations

import math

import torch

from mpcheck.reference.noise import seed_of

PROJECTIONS = 4


def projections(name: str, gradient: torch.Tensor) -> torch.Tensor:
    """[PROJECTIONS] sums of a gradient's elements with standard normal weights over the root of their number, in float64.

    Args:
        name: of the parameter, which seeds the weights. gradient: of any type.
    """
    flat = gradient.detach().to(torch.float64).reshape(-1)
    generator = torch.Generator().manual_seed(seed_of("digest of a gradient", name))
    weights = torch.randn((PROJECTIONS, flat.numel()), dtype=torch.float64, generator=generator).to(flat.device)
    sums: torch.Tensor = weights @ flat
    return sums / math.sqrt(max(1, flat.numel()))
