"""Models as older releases of mace-torch saved them, made with today's: what their modules have, and lack, otherwise."""

from __future__ import annotations

from typing import Any

import torch

from mpcheck.adapters.architecture import Architecture, constructor_arguments
from mpcheck.adapters.upstream import default_dtype, mace, o3, quiet
from tests.unit.adapters.samples import ARCHITECTURE


def built(changes: dict[str, Any], **more: Any) -> torch.nn.Module:
    """The tiny model with some fields changed, and with constructor arguments that an architecture has no field for."""
    arch = Architecture.model_validate({**ARCHITECTURE, **changes})
    with torch.random.fork_rng(devices=[]), default_dtype(torch.float64), quiet():
        torch.manual_seed(1)
        model: torch.nn.Module = mace.modules.ScaleShiftMACE(**{**constructor_arguments(arch), **more})
    return model.eval()


def merged(linear: o3.Linear) -> o3.Linear:
    """A linear layer on simplified irreps: neighbours of one irrep are one path, and its weights are the same numbers in the same order."""
    with default_dtype(torch.float64):
        other = o3.Linear(linear.irreps_in.simplify(), linear.irreps_out, internal_weights=True, shared_weights=True)
    with torch.no_grad():
        other.weight.copy_(linear.weight)
    return other


def as_of_0_3_8(model: torch.nn.Module) -> torch.nn.Module:
    """All Clebsch-Gordan paths, merged irreps before linear layers, no word of paths that are zero, exponents as floats, no heads."""
    for interaction in model.interactions:
        interaction.linear = merged(interaction.linear)
    for module in model.modules():
        for name in [n for n, _ in module.named_buffers(recurse=False) if n.endswith("_zeroed")]:
            delattr(module, name)
    for path in ("radial_embedding.cutoff_fn", "pair_repulsion_fn"):
        if hasattr(model, path.partition(".")[0]):
            owner = model.get_submodule(path)
            owner.p = owner.p.to(torch.float64)
    if hasattr(model, "pair_repulsion_fn"):
        repulsion = model.pair_repulsion_fn
        repulsion.cutoff = mace.modules.radial.PolynomialCutoff(float(model.r_max))
        repulsion.register_buffer("r_max", torch.tensor(1.0, dtype=torch.float64))
        repulsion.cutoff.double()
    for attribute in ("use_reduced_cg", "heads", "apply_cutoff", "use_so3", "use_agnostic_product", "use_last_readout_only"):
        delattr(model, attribute)
    return model
