"""Layouts and weight orderings against explicit index permutations; a round trip alone would hide a self-inverse fault."""

from __future__ import annotations

import math

import pytest
import torch

from mpcheck.adapters.backends.layout import convert, differing, misread, transpose_flat
from mpcheck.adapters.backends.weights import to_cueq, to_e3nn, weight_order
from mpcheck.adapters.slots import PLAIN, Slot
from mpcheck.adapters.upstream import default_dtype, o3

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


def test_weight_order_is_the_explicit_permutation_of_paths() -> None:
    instructions = [(1, 1, 0, "uvw", True), (0, 0, 0, "uvw", True), (1, 0, 1, "uvw", True), (0, 1, 1, "uvw", True)]
    product = o3.TensorProduct("3x0e+5x1o", "2x0e+3x1o", "4x0e+7x1o", instructions)
    sizes = [5 * 3 * 4, 3 * 2 * 4, 5 * 2 * 7, 3 * 3 * 7]
    weight = torch.randn(sum(sizes))
    parts = weight.split(sizes)
    wanted = torch.cat([parts[1], parts[3], parts[2], parts[0]])
    assert torch.equal(to_cueq(product, weight), wanted.reshape(1, -1)) and torch.equal(to_e3nn(product, wanted.reshape(1, -1)), weight)
    assert not torch.equal(weight_order(product), torch.arange(sum(sizes)))


def test_weight_order_refuses_what_has_none() -> None:
    with pytest.raises(TypeError, match="ReLU"):
        weight_order(torch.nn.ReLU())


@pytest.mark.parametrize("layout", ["mul_ir", "ir_mul"])
def test_ordered_weights_and_layouts_give_the_same_product_with_mul2_above_one(layout: str) -> None:
    cue, cuet = pytest.importorskip("cuequivariance"), pytest.importorskip("cuequivariance_torch")
    from mace.tools.cg import O3_e3nn

    names = ("3x0e+5x1o+2x1o", "2x0e+3x1o", "4x0e+3x1o")
    with default_dtype(torch.float64):
        ours = o3.FullyConnectedTensorProduct(*names)
        irreps = [cue.Irreps(O3_e3nn, n) for n in names]
        theirs = cuet.FullyConnectedTensorProduct(*irreps, layout=getattr(cue, layout), method="naive", internal_weights=True, shared_weights=True)
    with torch.no_grad():
        theirs.weight.copy_(to_cueq(ours, ours.weight))
    generator = torch.Generator().manual_seed(3)
    x, y = (torch.randn(6, o3.Irreps(n).dim, dtype=torch.float64, generator=generator) for n in names[:2])

    def there(t: torch.Tensor, name: str) -> torch.Tensor:
        return convert(t, Slot(name, "flat"), "mul_ir", layout)  # type: ignore[arg-type]

    exact = ours(x, y)
    found = convert(theirs(there(x, names[0]), there(y, names[1])), Slot(names[2], "flat"), layout, "mul_ir")  # type: ignore[arg-type]
    # gamma_n times the product of norms bounds a sum of n products in any order (Higham, section 3.1); coefficients are below 1
    terms = ours.weight_numel * 9
    bound = 2 * terms * 2.0**-53 * x.norm(dim=1) * y.norm(dim=1) * ours.weight.norm() * math.sqrt(3)
    assert bool(((found - exact).abs().amax(dim=1) <= bound).all())
    naive = theirs(x, y)
    if layout == "ir_mul":
        assert bool(((naive - exact).abs().amax(dim=1) > bound).all())  # the wrong layout is far outside the bound
