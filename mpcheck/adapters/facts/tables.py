"""Coupling tables of models that were built or stored in fewer digits than float64's, made exact to float64.

A model that went through float32, bfloat16 or float16 keeps tables (Wigner 3j symbols of tensor products, U matrices of symmetric
contractions) that are off by up to that format's roundoff, whatever dtype it is cast to afterwards. They are mathematical constants, not
weights: a reference in float64 must not inherit that error, and another backend, which computes its own tables, would look wrong by a
factor of 1e7 to 1e13. A table is replaced only if the stored one is the exact one rounded to the digits that it has; any other is left
as it is, because it is then a different table, or a fault.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

import torch

from mpcheck.adapters.upstream import default_dtype, mace, o3, quiet

_WIGNER = re.compile(r"_w3j_(\d+)_(\d+)_(\d+)")
_U_MATRIX = re.compile(r"U_matrix_(\d+)")
FLOAT64_DIGITS, FLOAT32_DIGITS, FEWEST_DIGITS = 53, 24, 4


@dataclass(frozen=True)
class TablesReport:
    """How many tables a model has: replaced by exact ones, and unlike what upstream computes today.

    ``digits`` are the significant binary digits that hold every table. Where they are fewer than float32's, ``coarse`` are those that are
    unlike; in any other model they may be exact tables of another kind.
    """

    replaced: int
    unlike: int
    digits: int = FLOAT64_DIGITS
    coarse: tuple[str, ...] = ()


@cache
def _wigner_3j(l1: int, l2: int, l3: int) -> torch.Tensor:
    table: torch.Tensor = o3.wigner_3j(l1, l2, l3, dtype=torch.float64)
    return table


@cache
def _u_matrix(irreps_in: str, irrep_out: str, correlation: int, reduced: bool) -> torch.Tensor:
    with quiet(), default_dtype(torch.float64):
        table: torch.Tensor = mace.tools.cg.U_matrix_real(
            irreps_in=o3.Irreps(irreps_in), irreps_out=o3.Irreps(irrep_out), correlation=correlation, use_cueq_cg=reduced, dtype=torch.float64
        )[-1]
    return table


def _candidates(model: torch.nn.Module, name: str) -> list[torch.Tensor]:
    """What upstream computes today for a table: a U matrix in either of its bases."""
    path, _, leaf = name.rpartition(".")
    if wigner := _WIGNER.fullmatch(leaf):
        return [_wigner_3j(*map(int, wigner.groups()))]
    owner, contraction = model.get_submodule(path), model.get_submodule(path.rpartition(".contractions.")[0])
    outputs = o3.Irreps(str(contraction.irreps_out))
    irrep_out, irreps_in = str(outputs[int(path.rpartition(".")[2])].ir), str(owner.coupling_irreps)
    return [_u_matrix(irreps_in, irrep_out, int(leaf.rpartition("_")[2]), reduced) for reduced in (False, True)]


def digits_of(table: torch.Tensor) -> int:
    """The fewest significant binary digits that hold every entry of a float64 table."""
    bits = torch.frexp(table.double())[0].abs().mul(2.0**FLOAT64_DIGITS).long()
    bits = bits[bits != 0]
    lowest = bits & -bits  # the last digit that is set
    return FLOAT64_DIGITS - int(torch.frexp(lowest.double())[1].min()) + 1 if bits.numel() else 0


def construction_rounding(table: torch.Tensor, digits: int = FLOAT64_DIGITS) -> torch.Tensor:
    """How far two constructions of one table in arithmetic of so many digits may be apart.

    Upstream's own float64 tables are off by up to 17 roundings, hence the 64; it normalises by sums whose order is not fixed.
    """
    return 64 * 2.0**-digits * table.abs().max()


def is_u_matrix(name: str) -> bool:
    """Whether a buffer's name is that of a U matrix, which each model computes for itself."""
    return _U_MATRIX.fullmatch(name.rpartition(".")[2]) is not None


def _same(stored: torch.Tensor, exact: torch.Tensor, digits: int) -> bool:
    """Whether a stored table is the exact one rounded to so many digits, after upstream's construction in float32 or better.

    An entry may have passed through a format of more digits on its way (float16 to bfloat16), hence the eighth.
    """
    if stored.shape != exact.shape:
        return False
    constructed = construction_rounding(exact, FLOAT32_DIGITS)
    rounded = 1.125 * 2.0**-digits * exact.abs() if digits < FLOAT32_DIGITS else 0.0
    return bool(((stored - exact).abs() <= constructed + rounded).all())


def make_tables_exact(model: torch.nn.Module) -> TablesReport:
    """Replace the tables of a float64 model that were rounded to fewer digits by exact ones, in place."""
    replaced, finest, left = 0, 0, list[str]()
    with torch.no_grad():
        for name, buffer in model.named_buffers():
            leaf = name.rpartition(".")[2]
            if buffer.dtype != torch.float64 or not (_WIGNER.fullmatch(leaf) or _U_MATRIX.fullmatch(leaf)):
                continue
            digits = max(FEWEST_DIGITS, digits_of(buffer))
            finest = max(finest, digits)
            if digits > FLOAT32_DIGITS:
                continue  # it has float64's digits; a fault in it is for the checks to find
            candidates = _candidates(model, name)
            if any(torch.equal(buffer, exact) for exact in candidates):
                continue
            exact = next((c for c in candidates if _same(buffer, c, digits)), None)
            if exact is None:
                left.append(name)
            else:
                buffer.copy_(exact)
                replaced += 1
    return TablesReport(replaced, len(left), finest, tuple(left) if finest < FLOAT32_DIGITS else ())
