"""Layouts, casts, inner arithmetic: exact, complete, and put back."""

from __future__ import annotations

import pytest
import torch

from mpcheck.adapters.architecture import Architecture, build_model
from mpcheck.adapters.backends.casting import replaced, tensors_of, to_dtype
from mpcheck.adapters.backends.cueq import BACKEND as CUEQ
from mpcheck.adapters.backends.cueq import CueqModel
from mpcheck.adapters.backends.layout import convert, transpose_flat
from mpcheck.adapters.blocks import module_blocks
from mpcheck.adapters.slots import Slot
from mpcheck.adapters.upstream import default_dtype, o3, quiet
from mpcheck.formats import FORMATS, get_format
from mpcheck.judge.emulate import round_significand

ARCHITECTURE = {
    "schema_version": 1, "name": "tiny", "elements": ["H", "O"], "atomic_energies": {"H": -13.6, "O": -2041.8}, "r_max": 3.0, "max_ell": 1,
    "hidden_irreps": "3x0e + 3x1o", "MLP_irreps": "2x0e", "correlation": 2, "num_interactions": 2, "avg_num_neighbors": 5.0, "radial_MLP": [4],
    "num_bessel": 3, "weights_seed": 1,
}  # fmt: skip


@pytest.fixture(scope="module")
def tiny() -> torch.nn.Module:
    return build_model(Architecture.model_validate(ARCHITECTURE))


@pytest.fixture(scope="module")
def tiny_cueq(tiny: torch.nn.Module) -> CueqModel:
    return CUEQ.build(tiny, torch.device("cpu"))


@pytest.mark.parametrize("irreps", ["16x0e + 16x1o", "17x0e + 3x1o + 5x2e", "1x0e + 1x1o + 1x2e", "2x3o + 7x0o"])
def test_layout_against_an_explicit_index_permutation(irreps: str) -> None:
    """A round trip alone would hide a conversion that is its own inverse."""
    parsed = o3.Irreps(irreps)
    x = torch.arange(2 * parsed.dim, dtype=torch.float64).view(2, -1)
    expected, start = [], 0
    for mul, ir in parsed:
        expected += [start + channel * ir.dim + component for component in range(ir.dim) for channel in range(mul)]
        start += mul * ir.dim
    assert torch.equal(transpose_flat(x, irreps, "mul_ir"), x[:, expected])
    assert torch.equal(transpose_flat(transpose_flat(x, irreps, "mul_ir"), irreps, "ir_mul"), x)


def test_channels_are_transposed_and_scalars_left_alone() -> None:
    x = torch.randn(2, 3, 4)
    assert torch.equal(convert(x, Slot("3x0e+3x1o", "channels"), "mul_ir", "ir_mul"), x.transpose(1, 2))
    assert convert(x, Slot(), "mul_ir", "ir_mul") is x


def test_casts_are_undone_bit_by_bit(tiny: torch.nn.Module) -> None:
    before = [t.detach().clone() for t in tensors_of(tiny)]
    names = [n for n, _ in tiny.named_parameters()]
    for name in ("bfloat16", "float16", "float32"):
        with replaced(tiny, to_dtype(get_format(name).storage)):
            assert {p.dtype for p in tiny.parameters()} == {get_format(name).storage}
    with pytest.raises(RuntimeError), replaced(tiny, to_dtype(torch.float16)):
        raise RuntimeError("the block failed")
    after = tensors_of(tiny)
    assert all(torch.equal(a, b) and a.dtype == b.dtype for a, b in zip(before, after, strict=True))
    assert [n for n, _ in tiny.named_parameters()] == names


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


def test_cueq_restores_the_default_dtype(tiny: torch.nn.Module, tiny_cueq: CueqModel) -> None:
    assert torch.get_default_dtype() == torch.float32
    assert {p.dtype for p in tiny_cueq.model.parameters()} == {torch.float64}


def test_tf32_emulation_agrees_with_gfloat() -> None:
    gfloat = pytest.importorskip("gfloat")
    from gfloat.formats import format_info_binary32

    generator = torch.Generator().manual_seed(0)
    x = torch.cat(
        [
            torch.randn(2000, generator=generator) * 10.0 ** torch.randint(-20, 20, (2000,), generator=generator),
            torch.tensor([0.0, -0.0, 1.0, 65504.0]),
        ]
    )
    info = format_info_binary32
    tf32 = gfloat.FormatInfo(
        name="tf32", k=19, precision=11, bias=info.bias, has_nz=info.has_nz, domain=info.domain, num_high_nans=2**10 - 1,
        has_subnormals=True, is_signed=True, is_twos_complement=False,
    )  # fmt: skip
    expected = [gfloat.round_float(tf32, float(v), rnd=gfloat.RoundMode.TiesToEven) for v in x]
    assert torch.equal(round_significand(x, 11), torch.tensor(expected))


def test_tf32_emulation_passes_infinities_and_nan() -> None:
    x = torch.tensor([float("inf"), float("-inf"), float("nan")])
    assert torch.equal(round_significand(x, 11)[:2], x[:2])
    assert torch.isnan(round_significand(x, 11)[2])


def test_blocks_cover_every_parameter(tiny: torch.nn.Module) -> None:
    leaves = [b for b in module_blocks(tiny) if b.kind == "leaf"]
    assert sum(b.parameters for b in leaves) == sum(p.numel() for p in tiny.parameters() if p.requires_grad)
    names = {b.name for b in module_blocks(tiny)}
    assert {"interactions.0", "interactions.1.conv_tp", "products.1.symmetric_contractions", "products.0", "readouts.1"} <= names
