"""Upstream's radial functions."""

from __future__ import annotations

import numpy as np
import torch
from mace.modules.radial import ChebychevBasis

from mpcheck.adapters.facts.radial import RADIAL


def test_upstreams_chebyshev_basis_has_no_gradient() -> None:
    """The fault on record, with upstream alone: once this fails, its entries are out of date."""
    distance = torch.tensor([[1.3]], dtype=torch.float64, requires_grad=True)
    assert ChebychevBasis(4.0, 4).double()(distance).grad_fn is None


def test_constants_of_the_basis_follow_from_the_cut_off(tiny: torch.nn.Module) -> None:
    facts = RADIAL["BesselBasis"](tiny.get_submodule("radial_embedding.bessel_fn"), tiny)
    assert {"r_max", "prefactor"} <= set(facts.constants)
    assert all(np.allclose(c.stored, c.defined, rtol=1e-15, atol=0) for c in facts.constants.values())
    module = tiny.get_submodule("radial_embedding.bessel_fn")
    x = torch.tensor([[0.7], [2.1]], dtype=torch.float64)
    formula = facts.numbers["prefactor"] * np.sin(facts.numbers["bessel_weights"] * x.numpy()) / x.numpy()
    assert np.allclose(formula, module(x).detach().numpy(), rtol=1e-14, atol=0)


def test_an_embedding_holds_the_facts_of_its_parts(tiny: torch.nn.Module) -> None:
    facts = RADIAL["RadialEmbeddingBlock"](tiny.get_submodule("radial_embedding"), tiny)
    assert {name: part.formula for name, part in facts.options["inner"].items()} == {"basis": "bessel", "cutoff": "cutoff"}
    assert facts.options["apply_cutoff"] is True
