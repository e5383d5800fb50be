"""Coupling tables of models that were built or stored in float32, made exact to float64.

A model that went through float32 keeps tables (Wigner 3j symbols of tensor products, U matrices of symmetric contractions)
that are off by up to 2**-24, whatever dtype it is cast to afterwards. They are mathematical constants, not weights: a
reference in float64 must not inherit that error, and another backend, which computes its own tables, would look wrong by
a factor of 1e7. A table is replaced only if the stored one is the exact one rounded to float32; any other is left as it is,
because it is then a different table, or a fault.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

import torch

from mpcheck.adapters.upstream import default_dtype, mace, o3, quiet

_WIGNER = re.compile(r"_w3j_(\d+)_(\d+)_(\d+)")
_U_MATRIX = re.compile(r"U_matrix_(\d+)")


@dataclass(frozen=True)
class TablesReport:
    """How many tables a model has: replaced by exact ones, and unlike what upstream computes today."""

    replaced: int
    unlike: int


@cache
def _wigner_3j(l1: int, l2: int, l3: int) -> torch.Tensor:
    table: torch.Tensor = o3.wigner_3j(l1, l2, l3, dtype=torch.float64)
    return table


@cache
def _u_matrix(irreps_in: str, irrep_out: str, correlation: int, reduced: bool) -> torch.Tensor:
    table: torch.Tensor = mace.tools.cg.U_matrix_real(
        irreps_in=o3.Irreps(irreps_in), irreps_out=o3.Irreps(irrep_out), correlation=correlation, use_cueq_cg=reduced, dtype=torch.float64
    )[-1]
    return table


def _candidates(model: torch.nn.Module, name: str) -> list[torch.Tensor]:
    """What upstream computes today for a table; empty for a buffer that is no table."""
    path, _, leaf = name.rpartition(".")
    if wigner := _WIGNER.fullmatch(leaf):
        return [_wigner_3j(*map(int, wigner.groups()))]
    if not (matrix := _U_MATRIX.fullmatch(leaf)):
        return []
    owner, contraction = model.get_submodule(path), model.get_submodule(path.rpartition(".contractions.")[0])
    outputs = o3.Irreps(str(contraction.irreps_out))
    irrep_out, irreps_in = str(outputs[int(path.rpartition(".")[2])].ir), str(owner.coupling_irreps)
    return [_u_matrix(irreps_in, irrep_out, int(matrix[1]), reduced) for reduced in (False, True)]


def _same(stored: torch.Tensor, exact: torch.Tensor, u: float) -> bool:
    """Whether a stored table is the exact one to roundoff ``u`` (with the few roundings of upstream's own construction)."""
    return stored.shape == exact.shape and bool(((stored - exact).abs() <= 64 * u * exact.abs().max()).all())


def make_tables_exact(model: torch.nn.Module) -> TablesReport:
    """Replace the tables of a float64 model that were rounded to float32 by exact ones, in place.

    Upstream's own float64 tables are off by up to 17 roundings, hence the 64 in the comparison; none comes near float32's.
    """
    replaced = unlike = 0
    with quiet(), default_dtype(torch.float64), torch.no_grad():
        for name, buffer in model.named_buffers():
            leaf = name.rpartition(".")[2]
            if buffer.dtype != torch.float64 or not (_WIGNER.fullmatch(leaf) or _U_MATRIX.fullmatch(leaf)):
                continue
            if not torch.equal(buffer, buffer.to(torch.float32).to(torch.float64)):
                continue  # it has float64's digits; a fault in it is for the checks to find
            candidates = _candidates(model, name)
            if any(torch.equal(buffer, exact) for exact in candidates):
                continue
            exact = next((c for c in candidates if _same(buffer, c, 2.0**-24)), None)
            if exact is None:
                unlike += 1
            else:
                buffer.copy_(exact)
                replaced += 1
    return TablesReport(replaced, unlike)
