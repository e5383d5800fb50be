"""Small products by OpenEquivariance and by e3nn: whether the library loads, builds and computes at all, before a model is made of it.

They tell one product from another (an operand read in another layout, a derivative of another size), not how well it rounds, which cells do:
results may differ by :data:`GROSS` roundoffs of the largest value. MACE's own convolutions have one channel in the second operand, so that
what happens to more of them shows here alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from inspect import signature
from typing import Any

import torch

from mpcheck.adapters.backends.layout import Layout, transpose_flat
from mpcheck.adapters.backends.oeq import COMPUTES_IN, PACKAGE
from mpcheck.adapters.upstream import default_dtype, o3, quiet

GROSS = 1e4
NODES, EDGES = 6, 40
FIRST, OUT = "3x0e + 3x1o", "3x0e + 3x0e + 3x1o + 3x1o + 3x1e"
PATHS = ((0, 0, 0), (1, 1, 1), (0, 1, 2), (1, 0, 3), (1, 1, 4))


@dataclass(frozen=True)
class Product:
    """A product of :data:`FIRST` with so many channels of scalars and vectors, in a layout, alone or with the sum over neighbours."""

    channels: int
    layout: Layout
    convolution: bool

    @property
    def name(self) -> str:
        """In words, short enough for a table."""
        kind = "convolution" if self.convolution else "product"
        return f"{kind}, {self.channels} channel{'s' * (self.channels > 1)} in the second operand, {self.layout}"

    @property
    def second(self) -> str:
        """Irreps of the second operand."""
        return f"{self.channels}x0e + {self.channels}x1o"


PRODUCTS = tuple(Product(c, layout, fused) for c in (1, 2) for layout in ("mul_ir", "ir_mul") for fused in (False, True))


def loaded() -> str:
    """Version of the library, and how its extension came about.

    Raises:
        Exception: it is not installed, or cannot be loaded.
    """
    library: Any = import_module(PACKAGE)
    made = getattr(library, "USE_PRECOMPILED_EXTENSION", None)
    return f"{getattr(library, '__version__', '')}{'' if made is None else ', extension precompiled' if made else ', extension compiled here'}"


def lacks(product: Product) -> str:
    """Why the installed version has no such product; empty where it has."""
    library: Any = import_module(PACKAGE)
    known = product.layout == "mul_ir" or "layout" in signature(library.TPProblem).parameters
    return "" if known else f"this version has no layout {product.layout}"


def distances(product: Product, dtype: torch.dtype, device: torch.device) -> dict[str, float]:
    """Largest difference from e3nn in float64 of the result and of its derivatives by each operand, in roundoffs of the largest value.

    Raises:
        Exception: whatever the library raises.
    """
    reference = _e3nn(product)
    generator = torch.Generator().manual_seed(1)
    rows = EDGES if not product.convolution else NODES
    shapes = {"x": (rows, o3.Irreps(FIRST).dim), "y": (EDGES, o3.Irreps(product.second).dim), "w": (EDGES, reference.weight_numel)}
    operands = {n: torch.randn(s, dtype=torch.float64, generator=generator).to(dtype).double().to(device) for n, s in shapes.items()}
    ends = torch.randint(NODES, (2, EDGES // 2), generator=generator).to(device)
    index = torch.cat([ends[0], ends[1]]), torch.cat([ends[1], ends[0]])  # the library asks for graphs that have each edge both ways
    cotangent = torch.randn(rows, o3.Irreps(OUT).dim, dtype=torch.float64, generator=generator).to(dtype).double().to(device)
    wanted = _derived(_summed(reference.to(device), product, *index), operands, cotangent)
    got = _derived(_library(product, dtype, *index), {n: t.to(dtype) for n, t in operands.items()}, cotangent.to(dtype))
    u = torch.finfo(dtype).eps / 2
    return {n: float((got[n].double() - value).abs().max() / value.abs().max()) / u for n, value in wanted.items()}


Call = Callable[..., torch.Tensor]


def _instructions() -> list[tuple[Any, ...]]:
    return [(*path, "uvu", True) for path in PATHS]


def _e3nn(product: Product) -> Any:
    with default_dtype(torch.float64), quiet():
        return o3.TensorProduct(FIRST, product.second, OUT, _instructions(), shared_weights=False, internal_weights=False)


def _summed(module: Any, product: Product, rows: torch.Tensor, cols: torch.Tensor) -> Call:
    """What the library's module should give."""

    def call(x: torch.Tensor, y: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        if not product.convolution:
            result: torch.Tensor = module(x, y, w)
            return result
        messages = module(x[cols], y, w)
        return x.new_zeros(NODES, messages.shape[1]).index_add(0, rows, messages)

    return call


def _library(product: Product, dtype: torch.dtype, rows: torch.Tensor, cols: torch.Tensor) -> Call:
    """The library's module, with operands and result in mul_ir."""
    library: Any = import_module(PACKAGE)
    assert dtype in COMPUTES_IN
    own = library.torch_to_oeq_dtype(dtype)
    layout = {} if product.layout == "mul_ir" else {"layout": product.layout}
    problem = library.TPProblem(
        FIRST, product.second, OUT, _instructions(), shared_weights=False, internal_weights=False, irrep_dtype=own, weight_dtype=own, **layout
    )
    module = library.TensorProductConv(problem, deterministic=False) if product.convolution else library.TensorProduct(problem)

    def there(value: torch.Tensor, irreps: str) -> torch.Tensor:
        return transpose_flat(value, irreps, "mul_ir") if product.layout == "ir_mul" else value

    def call(x: torch.Tensor, y: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        weights = module.reorder_weights_from_e3nn(w, has_batch_dim=True)
        out = module(there(x, FIRST), there(y, product.second), weights, *((rows, cols) if product.convolution else ()))
        return transpose_flat(out, OUT, "ir_mul") if product.layout == "ir_mul" else out

    return call


def _derived(call: Call, operands: dict[str, torch.Tensor], cotangent: torch.Tensor) -> dict[str, torch.Tensor]:
    """Result and derivatives."""
    leaves = {n: t.clone().requires_grad_() for n, t in operands.items()}
    out = call(*leaves.values())
    found = torch.autograd.grad(out, list(leaves.values()), cotangent)
    return {"result": out.detach(), **{f"derivative by {n}": g for n, g in zip(leaves, found, strict=True)}}
