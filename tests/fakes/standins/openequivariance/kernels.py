"""The arithmetic: e3nn's. Faults are planted here."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from e3nn import o3

from openequivariance.problem import TYPES, TPProblem

MUL_IR, IR_MUL = "mul_ir", "ir_mul"


def transpose_irreps(array: torch.Tensor, irreps: Any, src_layout: str, dst_layout: str) -> torch.Tensor:
    for layout, name in ((src_layout, "src_layout"), (dst_layout, "dst_layout")):
        if layout not in (MUL_IR, IR_MUL):
            raise ValueError(f"Unsupported {name}: {layout}")
    if src_layout == dst_layout:
        return array.clone()
    parts = []
    for (mul, ir), where in zip(irreps, irreps.slices(), strict=True):
        shape = (ir.dim, mul) if src_layout == IR_MUL else (mul, ir.dim)
        parts.append(array[..., where].reshape(*array.shape[:-1], *shape).transpose(-1, -2).reshape(*array.shape[:-1], mul * ir.dim))
    return torch.cat(parts, dim=-1)


@cache
def _e3nn(first: str, second: str, out: str, instructions: tuple[Any, ...], variances: tuple[Any, ...], rules: tuple[Any, ...]) -> o3.TensorProduct:
    before = torch.get_default_dtype()
    if before != torch.float64:  # constants of a kernel are those of float64, rounded
        torch.set_default_dtype(torch.float64)
    try:
        normalization, path, shared = rules
        return o3.TensorProduct(
            first, second, out, list(instructions), *variances, irrep_normalization=normalization, path_normalization=path,
            internal_weights=False, shared_weights=shared,
        )  # fmt: skip
    finally:
        if before != torch.float64:
            torch.set_default_dtype(before)


@cache
def _cast(dtype: torch.dtype, *made: Any) -> o3.TensorProduct:
    import copy

    return copy.deepcopy(_e3nn(*made)).to(dtype)


def module(problem: TPProblem) -> o3.TensorProduct:
    """e3nn's module of a problem, in its type."""
    variances = tuple(None if v is None else tuple(v) for v in (problem.in1_var, problem.in2_var, problem.out_var))
    rules = (problem.irrep_normalization, problem.path_normalization, problem.shared_weights)
    irreps = (str(problem.irreps_in1), str(problem.irreps_in2), str(problem.irreps_out))
    return _cast(TYPES[problem.irrep_dtype], *irreps, tuple(map(tuple, problem.instructions_raw)), variances, rules)  # type: ignore[index]


def first(problem: TPProblem, x: torch.Tensor) -> torch.Tensor:
    """The first operand in mul_ir."""
    return transpose_irreps(x, problem.irreps_in1, problem.layout, MUL_IR)


def second(problem: TPProblem, y: torch.Tensor) -> torch.Tensor:
    """The second operand in mul_ir."""
    return transpose_irreps(y, problem.irreps_in2, problem.layout, MUL_IR)


def product(problem: TPProblem, x: torch.Tensor, y: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    """Row by row, ``W (x (x) y)``."""
    out = module(problem)(first(problem, x), second(problem, y), w)
    return transpose_irreps(out, problem.irreps_out, MUL_IR, problem.layout)
