"""Layouts and weight orderings against explicit index permutations; a round trip alone would hide a self-inverse fault."""

from __future__ import annotations

import pytest
import torch

from mpcheck.adapters.backends.layout import convert, differing, misread, transpose_flat
from mpcheck.adapters.slots import PLAIN, Slot
from mpcheck.adapters.upstream import o3

IRREPS = "3x0e+5x1o+2x2e+1x3o+7x1e+1x0o"


def explicit(irreps: str) -> torch.Tensor:
    """Index of every ir_mul element in the mul_ir tensor, one number at a time."""
    index: list[int] = []
    start = 0
    for term in irreps.split("+"):
        mul, level = int(term.partition("x")[0]), int(term.partition("x")[2][:-1])
        dim = 2 * level + 1
        index += [start + u * dim + m for m in range(dim) for u in range(mul)]
        start += mul * dim
    return torch.tensor(index)


@pytest.mark.parametrize("irreps", [IRREPS, "5x2e", "2x3o+3x2e", "4x0e", "1x2e"])
def test_flat_conversion_is_the_explicit_permutation(irreps: str) -> None:
    index = explicit(irreps)
    x = torch.arange(3.0 * len(index)).reshape(3, -1)
    slot = Slot(irreps, "flat")
    assert torch.equal(convert(x, slot, "mul_ir", "ir_mul"), x[:, index])
    assert torch.equal(convert(x, slot, "ir_mul", "mul_ir"), torch.empty_like(x).index_copy(1, index, x))


def test_channels_conversion_is_the_explicit_permutation() -> None:
    x = torch.arange(2.0 * 5 * 9).reshape(2, 5, 9)
    found = convert(x, Slot("5x0e+5x1o+5x2e", "channels"), "mul_ir", "ir_mul")
    assert found.shape == (2, 9, 5) and all(found[n, m, u] == x[n, u, m] for n in range(2) for m in range(9) for u in range(5))


def test_conversion_is_exact_under_autograd() -> None:
    x = torch.randn(2, explicit(IRREPS).numel(), dtype=torch.float64, requires_grad=True)
    cotangent = torch.randn_like(x).detach()
    (gradient,) = torch.autograd.grad(transpose_flat(x, IRREPS, "mul_ir"), x, cotangent)
    assert torch.equal(gradient, torch.empty_like(cotangent).index_copy(1, explicit(IRREPS), cotangent))


@pytest.mark.parametrize(
    ("slot", "wanted"),
    [
        (Slot(IRREPS, "flat"), ["5x1o", "2x2e", "7x1e"]),
        (Slot("3x0e+1x1o", "flat"), []),
        (Slot("4x0e", "channels"), []),
        (Slot("1x0e+1x1o", "channels"), []),
        (Slot("2x0e+2x1o", "channels"), ["2x0e", "2x1o"]),
        (PLAIN, []),
    ],
)
def test_layouts_differ_only_where_several_channels_meet_several_components(slot: Slot, wanted: list[str]) -> None:
    assert differing(slot) == wanted


@pytest.mark.parametrize("layout", ["mul_ir", "ir_mul"])
@pytest.mark.parametrize(("irreps", "form", "shape"), [(IRREPS, "flat", (2, 54)), ("5x0e+5x1o", "channels", (2, 5, 4))])
def test_misread_keeps_the_memory_of_the_other_layout(irreps: str, form: str, shape: tuple[int, ...], layout: str) -> None:
    slot = Slot(irreps, form)  # type: ignore[arg-type]
    width = explicit(irreps).numel() if form == "flat" else shape[-1]
    x = torch.randn(*shape[:-1], width)
    other = "ir_mul" if layout == "mul_ir" else "mul_ir"
    arrives = convert(x, slot, "mul_ir", other)  # type: ignore[arg-type]
    read = convert(misread(x, slot, layout), slot, "mul_ir", layout)  # type: ignore[arg-type]
    assert torch.equal(read.reshape(-1), arrives.reshape(-1)) and not torch.equal(misread(x, slot, layout), x)  # type: ignore[arg-type]


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
