"""Weight orderings against explicit index permutations."""

from __future__ import annotations

import math

import pytest
import torch

from mpcheck.adapters.backends.layout import convert
from mpcheck.adapters.backends.weights import to_cueq, to_e3nn, weight_order
from mpcheck.adapters.slots import Slot
from mpcheck.adapters.upstream import default_dtype, o3


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
