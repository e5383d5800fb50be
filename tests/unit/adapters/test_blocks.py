"""Blocks of a model: all of it, in order."""

from __future__ import annotations

import torch

from mpcheck.adapters.blocks import module_blocks
from mpcheck.adapters.upstream import mace
from tests.unit.checks.uses.small_models import built


def test_blocks_cover_every_parameter(tiny: torch.nn.Module) -> None:
    leaves = [b for b in module_blocks(tiny) if b.kind == "leaf"]
    assert sum(b.parameters for b in leaves) == sum(p.numel() for p in tiny.parameters() if p.requires_grad)
    names = {b.name for b in module_blocks(tiny)}
    assert {"interactions.0", "interactions.1.conv_tp", "products.1.symmetric_contractions", "products.0", "readouts.1"} <= names


def test_a_leaf_of_torchs_has_the_role_of_the_module_that_is_nothing_but_it() -> None:
    nonlinear = mace.modules.interaction_classes["RealAgnosticResidualNonLinearInteractionBlock"]
    model = built("ScaleShiftMACE", interaction_cls=nonlinear, interaction_cls_first=nonlinear)
    roles = {b.name: b.role for b in module_blocks(model)}
    assert roles["interactions.0.conv_tp_weights.net"] == roles["interactions.1.density_fn.net"] == "radial MLP"
    assert roles["readouts.0.linear"] == "linear" and "Sequential" not in roles.values()
