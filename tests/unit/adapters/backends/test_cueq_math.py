"""cuEquivariance's inner arithmetic is switched as upstream builds it."""

from __future__ import annotations

import torch

from mpcheck.adapters.architecture import Architecture, build_model
from mpcheck.adapters.backends.cueq import CueqModel
from mpcheck.adapters.blocks import module_blocks
from mpcheck.adapters.upstream import default_dtype, o3, quiet
from mpcheck.formats import FORMATS
from tests.unit.adapters.samples import ARCHITECTURE


def test_cueq_inner_arithmetic_equals_a_model_built_under_float32(tiny: torch.nn.Module, tiny_cueq: CueqModel) -> None:
    from mace.cli.convert_e3nn_cueq import run

    with quiet(), default_dtype(torch.float64):
        single = build_model(Architecture.model_validate(ARCHITECTURE)).float()
    with quiet(), default_dtype(torch.float32):
        built = run(single, device="cpu", return_model=True, layout="ir_mul")
    compared = 0
    for block in module_blocks(tiny):
        if block.class_name != "TensorProduct":
            continue
        compared += 1
        irreps = [block.inputs["x"].irreps, block.inputs["y"].irreps]
        generator = torch.Generator().manual_seed(0)
        x, y = (torch.randn(7, o3.Irreps(i).dim, generator=generator) for i in irreps)
        w = torch.randn(7, tiny.get_submodule(block.name).weight_numel, generator=generator)
        with tiny_cueq.prepared(block, FORMATS["float32"]):
            ours = tiny_cueq.module(block)(x, y, w)
        assert ours.dtype == torch.float32
        assert torch.equal(ours, built.get_submodule(block.name)(x, y, w))
        with tiny_cueq.prepared(block, FORMATS["bfloat16"]):
            assert tiny_cueq.module(block)(x.bfloat16(), y.bfloat16(), w.bfloat16()).dtype == torch.bfloat16
        again = tiny_cueq.module(block)(x.double(), y.double(), w.double())
        assert again.dtype == torch.float64
        assert float((again - ours.double()).abs().max()) < 1e-4
    assert compared == 2
