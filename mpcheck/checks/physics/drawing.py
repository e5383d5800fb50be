"""Arguments for a block: a part of those that it got, and others over the domain of its formula."""

from __future__ import annotations

import torch

from mpcheck.adapters.execution import Tensors
from mpcheck.adapters.facts.blocks import BlockFacts
from mpcheck.checks.physics.structure import rms

ELEMENTS, PRODUCTS = 30_000, 1_000_000  # of one argument, and of it with parameters: numpy's widest type has no fast matrix product
FEWEST = 64  # rows that are always taken
SHORTEST, LONGEST = 0.05, 1.05  # of r_max: closer than any two atoms, and beyond the cut-off


def thinned(inputs: Tensors, facts: BlockFacts, seed: int) -> Tensors:
    """A random choice of rows, in their order, where there are more than can be computed in a moment."""
    sizes = {inputs[n].shape[axis] for n, axis in facts.rows.items() if n in inputs and inputs[n].dim()}
    if len(sizes) != 1:
        return dict(inputs)
    rows = sizes.pop()
    widest = max(inputs[n].numel() // max(1, rows) for n in facts.rows if n in inputs)
    most = max(FEWEST, min(ELEMENTS // max(1, widest), PRODUCTS // max(1, sum(v.size for v in facts.parameters.values()))))
    if rows <= most:
        return dict(inputs)
    chosen = torch.randperm(rows, generator=torch.Generator().manual_seed(seed))[:most].sort().values
    return {n: t.index_select(facts.rows[n], chosen.to(t.device)) if n in facts.rows else t for n, t in inputs.items()}


def drawn(inputs: Tensors, facts: BlockFacts, r_max: float, seed: int) -> Tensors:
    """Arguments of the same shapes, those with a domain drawn anew: lengths even in their logarithm up to just beyond the
    cut-off (Å), vectors of such lengths in all directions, and features normal with the RMS of the captured ones.
    """
    generator = torch.Generator().manual_seed(seed)
    arguments = dict(inputs)
    for name, domain in facts.domain.items():
        if name not in inputs:
            continue
        old = inputs[name]
        normal = torch.randn(old.shape, dtype=torch.float64, generator=generator)
        if domain == "normal":
            new = normal * (rms(old) or 1.0)
        else:
            shape = (*old.shape[:-1], 1)
            lengths = r_max * SHORTEST * (LONGEST / SHORTEST) ** torch.rand(shape, dtype=torch.float64, generator=generator)
            new = lengths * (normal / normal.norm(dim=-1, keepdim=True)) if domain == "vector" else lengths.expand(old.shape).clone()
        arguments[name] = new.to(old)
    return arguments
