"""Where cuEquivariance parametrises a block otherwise than e3nn: the converter's linear map between their weights.

A symmetric contraction's weights ``w[z, a, u]`` (element, path, channel; the contractions concatenated) become
``w'[z, b, u] = sum_a w[z, a, u] P[a, b]``. Gradients go the other way, ``dL/dw = dL/dw' P^T``, and ``P`` is square and well
conditioned, so that the reference can state what the gradient with respect to ``w'`` must be, and its noise scale.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from functools import cache

import torch

from mpcheck.adapters.upstream import SymmetricContraction, default_dtype, quiet

OWN = "cueq:"
"""Prefix of a parameter that only cuEquivariance has."""


@cache
def _projection(irreps_in: str, irreps_out: str, degree: int) -> torch.Tensor | None:
    """Upstream's P in float64; None where cuEquivariance is missing or cannot do the irreps.

    It must be computed under a float64 default dtype: upstream reads the default, and under float32 P is off by 3e-8.
    """
    try:
        import cuequivariance as cue
        from mace.tools.cg import O3_e3nn
        from mace.tools.cg_cueq_tools import symmetric_contraction_proj

        with default_dtype(torch.float64), quiet():
            _, matrix = symmetric_contraction_proj(cue.Irreps(O3_e3nn, irreps_in), cue.Irreps(O3_e3nn, irreps_out), list(range(1, degree + 1)))
    except Exception:  # a missing package or an architecture that upstream cannot convert: there is nothing to compare then
        return None
    return torch.tensor(matrix, dtype=torch.float64)


def contraction_projection(module: SymmetricContraction) -> torch.Tensor | None:
    """P of a symmetric contraction, square and regular; None where there is none."""
    names = ["+".join(str(mul_ir.ir) for mul_ir in irreps) for irreps in (module.irreps_in, module.irreps_out)]
    matrix = _projection(names[0], names[1], len(module.contractions[0].weights) + 1)
    return matrix if matrix is not None and matrix.shape[0] == matrix.shape[1] else None


def path_parameters(module: SymmetricContraction) -> list[str]:
    """Names of the contraction's parameters in the converter's order."""
    names = []
    for k, contraction in enumerate(module.contractions):
        names += [f"contractions.{k}.weights_max", *(f"contractions.{k}.weights.{i}" for i in range(len(contraction.weights)))]
    return names


def _contractions(module: torch.nn.Module | None) -> list[tuple[str, SymmetricContraction, torch.Tensor]]:
    """Contractions below a module that the converter maps: (prefix of their names, module, P)."""
    contractions = []
    for path, inner in module.named_modules() if module is not None else ():
        matrix = contraction_projection(inner) if isinstance(inner, SymmetricContraction) else None
        if matrix is not None:
            contractions.append((f"{path}." if path else "", inner, matrix))
    return contractions


def converted(module: torch.nn.Module | None) -> bool:
    """Whether a block has parameters that the converter maps."""
    return bool(_contractions(module))


@contextlib.contextmanager
def converted_perturbed(module: torch.nn.Module, perturb: Callable[[torch.Tensor], torch.Tensor]) -> Iterator[None]:
    """The parameters that the converter maps, as if they had been stored after its map: ``w = P^-T perturb(P^T w)``."""
    saved: list[tuple[torch.nn.Parameter, torch.Tensor]] = []
    try:
        for _, inner, matrix in _contractions(module):
            own = dict(inner.named_parameters())
            parameters = [own[n] for n in path_parameters(inner)]
            stacked = torch.cat([p.data for p in parameters], dim=1)
            if stacked.shape[1] != matrix.shape[0]:
                continue
            mapped = torch.einsum("zau,ab->zbu", stacked, matrix.to(stacked))
            back = torch.einsum("zbu,ba->zau", perturb(mapped) - mapped, torch.linalg.inv(matrix).to(stacked)) + stacked
            for parameter, part in zip(parameters, back.split([p.shape[1] for p in parameters], dim=1), strict=True):
                saved.append((parameter, parameter.data))
                parameter.data = part.contiguous()
        yield
    finally:
        for parameter, data in saved:
            parameter.data = data


def own_gradients(module: torch.nn.Module | None, gradients: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Gradients with respect to cuEquivariance's own parameters, from those of e3nn's: ``dL/dw' = P^-1 dL/dw``.

    Args:
        module: a block of the e3nn model.
        gradients: of its parameters, by name, float64.

    Returns:
        By ``cueq:PATH.weight``; empty where nothing is parametrised otherwise.
    """
    own: dict[str, torch.Tensor] = {}
    for prefix, contraction, matrix in _contractions(module):
        names = [prefix + n for n in path_parameters(contraction)]
        if not all(n in gradients for n in names):
            continue
        stacked = torch.cat([gradients[n] for n in names], dim=1)
        if stacked.shape[1] == matrix.shape[0]:
            inverse = torch.linalg.inv(matrix).to(stacked)
            own[f"{OWN}{prefix}weight"] = torch.einsum("ba,zau->zbu", inverse, stacked)
    return own
