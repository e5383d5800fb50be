"""tf32 is emulated to the bit."""

from __future__ import annotations

import pytest
import torch

from mpcheck.judge.emulate import round_significand


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
