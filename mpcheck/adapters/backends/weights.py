"""Weight orderings: where each number of an e3nn parameter lies among cuEquivariance's, stated without upstream's converter.

Both keep one flat weight per linear and fully connected tensor product, path after path, each path ``[mul1, mul2, mul_out]``
(``[mul_in, mul_out]``) in C order. e3nn orders paths as its instructions are listed, cuEquivariance by the indices of their
irreps: first input, second input, output. A symmetric contraction's weights are mapped by a matrix instead, see
:mod:`mpcheck.adapters.backends.parametrisation`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch

from mpcheck.adapters.backends.parametrisation import WeightMap, takes_reduced, weight_map
from mpcheck.adapters.execution import Tensors
from mpcheck.adapters.upstream import SymmetricContraction, o3


def weight_order(module: torch.nn.Module) -> torch.Tensor:
    """Permutation ``p`` with ``cueq_weight = e3nn_weight[p]`` of a linear or a tensor product.

    Raises:
        TypeError: a module that has no flat weight of paths.
    """
    if not isinstance(module, (o3.Linear, o3.TensorProduct)):
        raise TypeError(f"{type(module).__name__} has no weight that is ordered by paths")
    paths: list[tuple[tuple[int, ...], range]] = []
    start = 0
    for instruction in module.instructions:
        if not getattr(instruction, "has_weight", True) or getattr(instruction, "i_in", 0) == -1:
            continue
        if hasattr(instruction, "i_in1"):
            key: tuple[int, ...] = (instruction.i_in1, instruction.i_in2, instruction.i_out)
        else:
            key = (instruction.i_in, instruction.i_out)
        size = math.prod(instruction.path_shape)
        paths.append((key, range(start, start + size)))
        start += size
    return torch.tensor([i for _, where in sorted(paths, key=lambda p: p[0]) for i in where], dtype=torch.long)


def to_cueq(module: torch.nn.Module, weight: torch.Tensor) -> torch.Tensor:
    """A flat e3nn weight in cuEquivariance's order and shape ``[1, weights]``; bit by bit."""
    return weight.reshape(-1)[weight_order(module).to(weight.device)].reshape(1, -1)


def to_e3nn(module: torch.nn.Module, weight: torch.Tensor) -> torch.Tensor:
    """A weight of cuEquivariance ``[1, weights]`` in the order and shape of the e3nn module; bit by bit."""
    order = weight_order(module).to(weight.device)
    flat = torch.empty_like(weight.reshape(-1))
    flat[order] = weight.reshape(-1)
    return flat


def _ordered(module: torch.nn.Module) -> bool:
    return isinstance(module, o3.Linear | o3.FullyConnectedTensorProduct)


def cueq_parameters(model: torch.nn.Module) -> Tensors:
    """What the parameters of the cuEquivariance twin must be, by its names, from those of the e3nn model."""
    expected: Tensors = {}
    taken: set[str] = set()
    for path, module in model.named_modules():
        prefix = f"{path}." if path else ""
        own = {n: p.detach() for n, p in module.named_parameters()}
        if isinstance(module, SymmetricContraction):
            known = weight_map(module, takes_reduced(model))
            if known is not None:
                expected[f"{prefix}weight"] = known.applied(known.stacked(own))
            taken |= {prefix + n for n in own}  # without a map nothing can be said of them
        elif _ordered(module) and "weight" in own and own["weight"].numel():
            expected[f"{prefix}weight"] = to_cueq(module, own["weight"])
            taken.add(f"{prefix}weight")
    expected.update({n: p.detach() for n, p in model.named_parameters() if n not in taken and p.numel()})
    return expected


def contraction_rounding(known: WeightMap | None, parameters: Mapping[str, torch.Tensor], round_trip: bool) -> torch.Tensor | None:
    """How far rounding alone may move a contraction's weights, per element of the stacked weights ``[z, paths, u]``; None where not at all.

    A product with ``n`` terms rounds by ``gamma_n |w| |P|`` (Higham, Accuracy and Stability, 2nd ed., eq. 3.13); of two
    evaluations each may. The way back adds the same of ``P^+``, and the pseudo-inverse's own error, relative to its norm by
    ``n u cond(P)`` (ibid., section 14.1).
    """
    if known is None or known.same:
        return None
    stacked = known.stacked(parameters).abs()
    matrix = known.matrix.to(stacked)
    n, u = matrix.shape[0], torch.finfo(stacked.dtype).eps / 2
    there = torch.einsum("zau,ab->zbu", stacked, matrix.abs())
    if not round_trip:
        return 2 * n * u * there
    inverse = torch.linalg.pinv(matrix)
    back = torch.einsum("zbu,ba->zau", there, inverse.abs())
    condition = float(torch.linalg.cond(matrix))
    slack = n * u * condition * float(torch.linalg.matrix_norm(inverse, 2)) * there.norm(dim=1, keepdim=True)
    allowed: torch.Tensor = 2 * n * u * back + slack.expand_as(back)
    return allowed


def mapped_rounding(known: WeightMap | None, parameters: Mapping[str, torch.Tensor], returned: bool) -> torch.Tensor | None:
    """How far rounding alone may move a contraction's mapped weights ``[z, paths, u]``; bounds as in :func:`contraction_rounding`.

    Args:
        returned: ``parameters`` were themselves made of the mapped weights, so that their own error goes through the map.
    """
    allowed = contraction_rounding(known, parameters, round_trip=False)
    back = contraction_rounding(known, parameters, round_trip=True) if returned else None
    if known is None or allowed is None or back is None:
        return allowed
    return allowed + torch.einsum("zau,ab->zbu", back, known.matrix.to(back).abs())
