"""Products of made-up hardware: what their accumulators are, the probe must say."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch

from mpcheck.formats import FORMATS
from mpcheck.survey.probes.tensor_cores import FAR, NEAR, Sum, assumed, findings, kept

CPU = torch.device("cpu")


def hardware(bits: int, truncates: bool, group: int = 16) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """Products of the first row and column, by groups whose addends are aligned to the largest of them and cut to so many bits below it."""

    def product(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        terms = (a[0].double() * b[:, 0].double()).tolist()
        total = 0.0
        for start in range(0, len(terms), group):
            addends = [total, *terms[start : start + group]]
            most = max(map(abs, addends))
            if not most:
                continue
            unit = math.ldexp(1.0, math.frexp(most)[1] - 1 - bits)
            cut = [math.trunc(x / unit) * unit if truncates else round(x / unit) * unit for x in addends]
            total = sum(cut)
        return torch.full((a.shape[0], b.shape[1]), total, dtype=torch.float64).to(a.dtype)

    return product


@pytest.mark.parametrize(("bits", "truncates"), [(23, True), (23, False), (13, True), (24, True), (30, False)])
def test_width_and_rounding_of_an_accumulator_are_told(bits: int, truncates: bool) -> None:
    for dtype in (torch.float16, torch.bfloat16, torch.float32):
        found = kept(NEAR, dtype, CPU, hardware(bits, truncates))
        assert found == Sum(bits, "truncated" if truncates else "nearest"), dtype


def test_a_narrow_accumulator_contradicts_the_tolerances() -> None:
    told = {one.format: one for one in findings(CPU, hardware(13, True)) if one.name == "sums"}
    assert told["float16"].verdict == "fail" and "tolerances take 23 bits" in told["float16"].reason and told["float16"].figures["bits"] == 13.0
    assert told["tf32"].verdict == "unsupported", "a CPU has none"


def test_what_a_product_raises_is_the_formats_finding() -> None:
    def broken(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        if a.dtype == torch.float16:
            raise RuntimeError("no kernel image")
        return a @ b

    told = [one for one in findings(CPU, broken) if one.format == "float16"]
    assert [one.verdict for one in told] == ["fail", "fail"] and "no kernel image" in told[0].reason


def test_this_cpu_keeps_what_the_tolerances_assume() -> None:
    for one in findings(CPU):
        assert one.verdict in ("pass", "unsupported"), one.reason
    assert kept(FAR, torch.float64, CPU, torch.matmul).bits == 52 == assumed(FORMATS["float64"], "cpu")
