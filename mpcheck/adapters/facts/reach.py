"""Which irreps of a MACE model's features can be anything but zero, and which of them its energy can depend on: from the architecture alone.

An atom's features begin as scalars. A convolution couples them with spherical harmonics of degree ``l <= max_ell``, whose parity is
``(-1)^l``, to the irreps that the interaction keeps. The product basis of correlation ``n`` is made of symmetric powers up to the ``n``-th of
one channel of what the convolution gave (Batatia et al. 2022, arXiv:2206.07697, eq. 10): an irrep that no symmetric power holds, such as the
pseudovector of one vector with itself, is zero for every structure. Read-outs take scalars.
"""

from __future__ import annotations

from collections import Counter
from itertools import combinations_with_replacement
from typing import Any

import torch

from mpcheck.adapters.upstream import o3

Irreps = frozenset[tuple[int, int]]
"""Degree and parity."""
SCALAR = (0, 1)
MOST = 200_000  # monomials that are counted


def _irreps(of: Any) -> Irreps:
    return frozenset((part.ir.l, part.ir.p) for part in o3.Irreps(of) if part.mul)


def coupled(one: tuple[int, int], other: tuple[int, int]) -> Irreps:
    """Irreps of the product of two."""
    return frozenset((degree, one[1] * other[1]) for degree in range(abs(one[0] - other[0]), one[0] + other[0] + 1))


def symmetric_power(irreps: Irreps, power: int) -> Irreps | None:
    """Irreps in the symmetric power of a sum of irreps, by counting weights; None where there are too many."""
    weights = [(m, p) for degree, p in sorted(irreps) for m in range(-degree, degree + 1)]
    total = 1
    for i in range(power):
        total = total * (len(weights) + i) // (i + 1)
    if total > MOST:
        return None
    counted: Counter[tuple[int, int]] = Counter()
    for chosen in combinations_with_replacement(weights, power):
        parity = 1
        for _, p in chosen:
            parity *= p
        counted[sum(m for m, _ in chosen), parity] += 1
    return frozenset((m, p) for m, p in counted if m >= 0 and counted[m, p] > counted[m + 1, p])


def unused(model: torch.nn.Module) -> list[str] | None:
    """What an architecture leaves without use, in words: irreps of features that are zero for every structure, or that nothing reads.

    Returns:
        Empty where every irrep is made and read; None where the model is not built as upstream's are.
    """
    try:
        interactions, products = list(model.interactions), list(model.products)  # type: ignore[arg-type]  # upstream's lists of modules
        correlations = [_correlation(p) for p in products]
        layers = [
            (_irreps(i.node_feats_irreps), _irreps(i.edge_attrs_irreps), _irreps(i.target_irreps), _irreps(i.hidden_irreps)) for i in interactions
        ]
    except (AttributeError, TypeError, ValueError):
        return None
    told: list[str] = []
    made: Irreps = frozenset({SCALAR})
    for t, ((features, harmonics, target, hidden), correlation) in enumerate(zip(layers, correlations, strict=True)):
        told += [f"input irrep {_name(i)} of interactions.{t} is zero for every structure" for i in sorted(features - made)]
        messages = frozenset(k for i in made & features for y in harmonics for k in coupled(i, y)) & target
        told += [f"message irrep {_name(i)} of interactions.{t} is zero for every structure" for i in sorted(target - messages)]
        powers = [symmetric_power(messages, n) for n in range(1, correlation + 1)]
        if any(p is None for p in powers):
            return None
        made = frozenset(k for p in powers if p for k in p) & hidden
        read = _read(layers, t)
        told += [f"output irrep {_name(i)} of products.{t} is read by nothing" for i in sorted(hidden - read)]
        told += [
            f"message irrep {_name(i)} of interactions.{t} enters no product that is read"
            for i in sorted(messages)
            if not _enters(i, messages, correlation, hidden & read)
        ]
    return told


def _correlation(product: Any) -> int:
    contractions = product.symmetric_contractions
    found = getattr(contractions, "contraction_degree", None)  # cuEquivariance
    return int(found) if found is not None else int(max(c.correlation for c in contractions.contractions))


def _enters(irrep: tuple[int, int], messages: Irreps, correlation: int, wanted: Irreps) -> bool:
    """Whether a symmetric power that has an irrep in it gives one that is wanted: by itself, by its square, or with one of the others."""
    if irrep in wanted:
        return True
    if correlation < 2:
        return False
    if (symmetric_power(frozenset({irrep}), 2) or frozenset()) & wanted:
        return True
    pairs = {other: coupled(irrep, other) for other in messages if other != irrep}
    return any(found & wanted for found in pairs.values()) or correlation > 2


def _read(layers: list[tuple[Irreps, Irreps, Irreps, Irreps]], t: int) -> Irreps:
    """Irreps of the features after layer ``t`` that read-outs or the next layer take."""
    hidden = layers[t][3]
    if t == len(layers) - 1:
        return hidden & {SCALAR}
    _, harmonics, target, following = layers[t + 1]
    return frozenset(i for i in hidden if i == SCALAR or i in following or any(coupled(i, y) & target for y in harmonics))


def _name(irrep: tuple[int, int]) -> str:
    return f"{irrep[0]}{'e' if irrep[1] > 0 else 'o'}"


def between_heads(model: torch.nn.Module, parameter: str) -> torch.Tensor | None:
    """Which elements of a weight lead from features of one head to the energy of another; None where it has no such.

    A non-linear read-out of several heads keeps, for an atom of head ``h``, the features of ``h`` alone, and of its result the component
    ``h`` alone: of the last layer's weight [heads * features, heads] only blocks of equal heads can have an effect.
    """
    owner = model.get_submodule(parameter.rpartition(".")[0])
    readout = model.get_submodule(parameter.rpartition(".")[0].rpartition(".")[0])
    heads, own = int(getattr(readout, "num_heads", 1) or 1), model.get_parameter(parameter)
    if heads < 2 or not hasattr(readout, "non_linearity") or not _scalars(getattr(owner, "irreps_out", None), heads):
        return None
    if own.numel() % heads**2 or _scalars(getattr(owner, "irreps_in", None), own.numel() // heads) is False:
        return None
    same = torch.eye(heads, dtype=torch.bool, device=own.device)[:, None, :]
    return (~same).expand(heads, own.numel() // heads**2, heads).reshape(own.shape)


def _scalars(irreps: Any, count: int) -> bool:
    return irreps is not None and _irreps(str(irreps)) == {SCALAR} and o3.Irreps(str(irreps)).dim == count
