"""Where cuEquivariance parametrises a block otherwise than e3nn: the converter's linear map between their weights.

A symmetric contraction's weights ``w[z, a, u]`` (element, path, channel; the contractions concatenated) become
``w'[z, b, u] = sum_a w[z, a, u] P[a, b]``. Gradients go the other way, ``dL/dw = dL/dw' P^T``, and ``P`` is square and well
conditioned, so that the reference can state what the gradient with respect to ``w'`` must be, and its noise scale. That is so where
the converter takes the coupling tables to be of the reduced basis. The twin of a model of all Clebsch-Gordan paths
(``use_reduced_cg=False``, and any from before 0.3.14) keeps its weights and projects them in every call: there ``w' = w``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache

import torch

from mpcheck.adapters.upstream import SymmetricContraction, default_dtype, quiet

OWN = "cueq:"
"""Prefix of a parameter that only cuEquivariance has."""


@dataclass(frozen=True)
class WeightMap:
    """How the weights of a symmetric contraction become cuEquivariance's.

    Attributes:
        names: parameters that are taken, in the converter's order: those of paths that exist.
        matrix: P ``[paths, paths]`` in float64, square and regular.
        same: P is the identity, and weights stay bit by bit.
    """

    names: tuple[str, ...]
    matrix: torch.Tensor
    same: bool

    def stacked(self, parameters: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Weights ``[elements, paths, channels]`` of the parameters, or gradients by them."""
        return torch.cat([parameters[n] for n in self.names], dim=1)

    def applied(self, stacked: torch.Tensor) -> torch.Tensor:
        """``w P``."""
        return stacked if self.same else torch.einsum("zau,ab->zbu", stacked, self.matrix.to(stacked))


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


def takes_reduced(model: torch.nn.Module) -> bool:
    """Whether the converter takes a model's coupling tables to be of the reduced basis; it reads nothing else, and neither must a reader
    of one contraction: for a scalar output both bases can be the same.
    """
    return bool(getattr(model, "use_reduced_cg", False))


def weight_map(module: SymmetricContraction, reduced: bool) -> WeightMap | None:
    """The converter's map of a symmetric contraction; None where none is known that could be inverted.

    Args:
        reduced: see :func:`takes_reduced`, of its model.
    """
    every, own = path_parameters(module), dict(module.named_parameters())
    sizes = [own[n].shape[1] for n in every]
    rows = dict(zip(every, torch.arange(sum(sizes)).split(sizes), strict=True))
    if not reduced:
        taken = tuple(n for n in every if not _without_path(module, n))
        return WeightMap(taken, torch.eye(sum(len(rows[n]) for n in taken), dtype=torch.float64), same=True) if taken else None
    names = ["+".join(str(mul_ir.ir) for mul_ir in irreps) for irreps in (module.irreps_in, module.irreps_out)]
    matrix = _projection(names[0], names[1], len(module.contractions[0].weights) + 1)
    if matrix is None or matrix.shape[0] != sum(sizes):
        return None
    taken = tuple(n for n in every if bool(matrix[rows[n]].any()))
    square = matrix[torch.cat([rows[n] for n in taken])] if taken else matrix
    regular = square.shape[0] == square.shape[1] and int(torch.linalg.matrix_rank(square)) == len(square)
    return WeightMap(taken, square, same=False) if regular else None


def _without_path(module: SymmetricContraction, name: str) -> bool:
    """Whether upstream says that a parameter has no path, and leaves it out when it converts all paths."""
    path, _, leaf = name.partition(".weights")
    return bool(getattr(module.get_submodule(path), f"weights{leaf.replace('.', '_')}_zeroed", False))


def path_parameters(module: SymmetricContraction) -> list[str]:
    """Names of the contraction's parameters in the converter's order."""
    names = []
    for k, contraction in enumerate(module.contractions):
        names += [f"contractions.{k}.weights_max", *(f"contractions.{k}.weights.{i}" for i in range(len(contraction.weights)))]
    return names


def _contractions(module: torch.nn.Module | None, reduced: bool) -> list[tuple[str, SymmetricContraction, WeightMap]]:
    """Contractions below a module that the converter maps: (prefix of their names, module, map)."""
    contractions = []
    for path, inner in module.named_modules() if module is not None else ():
        known = weight_map(inner, reduced) if isinstance(inner, SymmetricContraction) else None
        if known is not None:
            contractions.append((f"{path}." if path else "", inner, known))
    return contractions


def converted(module: torch.nn.Module | None, reduced: bool) -> bool:
    """Whether a block has parameters that the converter maps to others."""
    return any(not known.same for _, _, known in _contractions(module, reduced))


@contextlib.contextmanager
def converted_perturbed(module: torch.nn.Module, perturb: Callable[[torch.Tensor], torch.Tensor]) -> Iterator[None]:
    """The parameters that the converter maps, as if they had been stored after its map: ``w = P^-T perturb(P^T w)``."""
    saved: list[tuple[torch.nn.Parameter, torch.Tensor]] = []
    try:
        for _, inner, known in _contractions(module, reduced=True):
            own = dict(inner.named_parameters())
            parameters = [own[n] for n in known.names]
            stacked = torch.cat([p.data for p in parameters], dim=1)
            mapped = known.applied(stacked)
            back = torch.einsum("zbu,ba->zau", perturb(mapped) - mapped, torch.linalg.inv(known.matrix).to(stacked)) + stacked
            for parameter, part in zip(parameters, back.split([p.shape[1] for p in parameters], dim=1), strict=True):
                saved.append((parameter, parameter.data))
                parameter.data = part.contiguous()
        yield
    finally:
        for parameter, data in saved:
            parameter.data = data


def own_gradients(module: torch.nn.Module | None, gradients: Mapping[str, torch.Tensor], reduced: bool) -> dict[str, torch.Tensor]:
    """Gradients with respect to cuEquivariance's own parameters, from those of e3nn's: ``dL/dw' = P^-1 dL/dw``.

    Args:
        module: a block of the e3nn model.
        gradients: of its parameters, by name, float64.
        reduced: see :func:`takes_reduced`.

    Returns:
        By ``cueq:PATH.weight``; empty where nothing is parametrised otherwise.
    """
    own: dict[str, torch.Tensor] = {}
    for prefix, _, known in _contractions(module, reduced):
        if not all(prefix + n in gradients for n in known.names):
            continue
        stacked = known.stacked({n: gradients[prefix + n] for n in known.names})
        inverse = torch.linalg.inv(known.matrix).to(stacked)
        own[f"{OWN}{prefix}weight"] = stacked if known.same else torch.einsum("ba,zau->zbu", inverse, stacked)
    return own


def own_parameters(module: torch.nn.Module, parameters: Mapping[str, torch.Tensor], reduced: bool) -> dict[str, torch.Tensor]:
    """Parameters ``w' = w P`` that cuEquivariance has in the place of a float64 e3nn module's, by ``cueq:PATH.weight``, and those that it keeps.

    Args:
        parameters: of the module, by name.
    """
    known = _contractions(module, reduced)
    inside = {f"{prefix}{name}" for prefix, inner, _ in known for name in path_parameters(inner)}
    own = {name: value for name, value in parameters.items() if name not in inside}
    for prefix, _, one in known:
        if all(prefix + n in parameters for n in one.names):
            own[f"{OWN}{prefix}weight"] = one.applied(one.stacked({n: parameters[prefix + n] for n in one.names}))
    return own
