"""Facts of upstream's radial functions: bases, envelopes, transforms of the distance, pair repulsion."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import ase.data
import numpy as np

from mpcheck.adapters.facts.blocks import BlockFacts, Constant, Numbers, is_fixed, numbers, parameters_of


def _bessel(module: Any, model: Any) -> BlockFacts:
    count = module.bessel_weights.numel()
    r_max, own = numbers(model.r_max), numbers(module.r_max)
    made = {"r_max": Constant(own, r_max, (r_max,)), "prefactor": Constant(numbers(module.prefactor), np.sqrt(2 / own), (own,))}
    if is_fixed(module, "bessel_weights"):
        made["bessel_weights"] = Constant(numbers(module.bessel_weights), np.pi / own * np.arange(1, count + 1), (own,))
    fixed = {"prefactor": numbers(module.prefactor), "bessel_weights": numbers(module.bessel_weights)}
    return BlockFacts("bessel", parameters_of(module), fixed, {}, {"x": 0}, {"x": "length"}, made)


def _gaussian(module: Any, model: Any) -> BlockFacts:
    centres, r_max = numbers(module.gaussian_weights), numbers(model.r_max)
    width = r_max / (centres.size - 1)
    made = {"coeff": Constant(numbers(module.coeff), -0.5 / width**2, (r_max,))}
    if is_fixed(module, "gaussian_weights"):
        made["gaussian_weights"] = Constant(centres, r_max * np.arange(centres.size) / (centres.size - 1), (r_max,))
    return BlockFacts(
        "gaussian", parameters_of(module), {"gaussian_weights": centres, "coeff": numbers(module.coeff)}, {}, {"x": 0}, {"x": "length"}, made
    )


def _chebyshev(module: Any, model: Any) -> BlockFacts:
    return BlockFacts("chebyshev", options={"count": int(module.num_basis)}, rows={"x": 0}, domain={"x": "length"})


def _cutoff(module: Any, model: Any) -> BlockFacts:
    r_max, own = numbers(model.r_max), numbers(module.r_max)
    return BlockFacts("cutoff", {}, {"r_max": own}, {"p": int(module.p)}, {"x": 0}, {"x": "length"}, {"r_max": Constant(own, r_max, (r_max,))})


_EDGES: Mapping[str, int] = {"x": 0, "edge_index": 1}


def _radii(module: Any) -> tuple[Numbers, Constant]:
    radii = numbers(module.covalent_radii)
    return radii, Constant(radii, np.asarray(ase.data.covalent_radii, dtype=np.float64))


def _pairs(formula: str, module: Any, defined: Mapping[str, Any], options: Mapping[str, Any]) -> BlockFacts:
    """A function of distance and of two elements."""
    radii, constant = _radii(module)
    made = {"covalent_radii": constant}
    made |= {n: Constant(numbers(getattr(module, n)), numbers(v)) for n, v in defined.items() if v is not None and is_fixed(module, n)}
    fixed = {"covalent_radii": radii, **{n: numbers(getattr(module, n)) for n in defined}}
    return BlockFacts(formula, parameters_of(module), fixed, options, _EDGES, {"x": "length"}, made)


def _agnesi(module: Any, model: Any) -> BlockFacts:
    return _pairs("agnesi", module, {"a": None, "q": None, "p": None}, {})


def _soft(module: Any, model: Any) -> BlockFacts:
    return _pairs("soft", module, {"alpha": None}, {})


def _zbl(module: Any, model: Any) -> BlockFacts:
    # the four digits of the screening function are published; the screening length's two numbers are upstream's own
    return _pairs("zbl", module, {"c": [0.1818, 0.5099, 0.2802, 0.02817], "a_exp": 0.300, "a_prefactor": 0.4543}, {"p": int(module.p)})


def _radial_embedding(module: Any, model: Any) -> BlockFacts:
    parts = {"basis": module.bessel_fn, "cutoff": module.cutoff_fn, "transform": getattr(module, "distance_transform", None)}
    inner: dict[str, BlockFacts] = {}
    for name, part in parts.items():
        if part is not None:
            inner[name] = RADIAL[type(part).__name__](part, model)
    own = {"basis": "bessel_fn", "cutoff": "cutoff_fn", "transform": "distance_transform"}
    held = {f"{own[part]}.{n}": v for part, facts in inner.items() for n, v in facts.parameters.items()}
    options = {"inner": inner, "names": own, "apply_cutoff": getattr(module, "apply_cutoff", True)}
    return BlockFacts("radial_embedding", held, {}, options, {"edge_lengths": 0, "edge_index": 1}, {"edge_lengths": "length"})


RADIAL: dict[str, Callable[[Any, Any], BlockFacts]] = {
    "BesselBasis": _bessel, "GaussianBasis": _gaussian, "ChebychevBasis": _chebyshev, "PolynomialCutoff": _cutoff, "AgnesiTransform": _agnesi,
    "SoftTransform": _soft, "ZBLBasis": _zbl, "RadialEmbeddingBlock": _radial_embedding,
}  # fmt: skip
"""By class name: called with the module and the model."""


def negligible(model: Any) -> float:
    """How near the cut-off an edge adds nothing to a float64 result, in units of ``r_max``.

    There the polynomial envelope is about ``p (p + 1) (p + 2) / 6`` times the third power of that distance (Gasteiger et al., ICLR 2020,
    eq. 8), which counts from 2^-53 upwards. Of a model without one: the rounding of a length.
    """
    envelopes = [module for module in model.modules() if type(module).__name__ == "PolynomialCutoff"]
    if not envelopes:
        return 2.0**-50
    return min(float((2.0**-53 * 6.0 / (p * (p + 1) * (p + 2))) ** (1 / 3)) for p in (int(module.p) for module in envelopes))
