"""Blocks of a model: all of it, in order."""

from __future__ import annotations

import torch

from mpcheck.adapters.blocks import module_blocks


def test_blocks_cover_every_parameter(tiny: torch.nn.Module) -> None:
    leaves = [b for b in module_blocks(tiny) if b.kind == "leaf"]
    assert sum(b.parameters for b in leaves) == sum(p.numel() for p in tiny.parameters() if p.requires_grad)
    names = {b.name for b in module_blocks(tiny)}
    assert {"interactions.0", "interactions.1.conv_tp", "products.1.symmetric_contractions", "products.0", "readouts.1"} <= names
