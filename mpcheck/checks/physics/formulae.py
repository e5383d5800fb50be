"""Published mathematics of MACE's radial and linear blocks, in numpy's widest floating-point type, for real and complex numbers.

Nothing here calls upstream. Complex arguments give derivatives: f(x + i h d) has the imaginary part h J d to all digits for a
tiny h, because nothing is subtracted (Squire & Trapp, SIAM Rev. 40 (1998) 110). Branches therefore look at real parts only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import factorial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import quad
from scipy.special import expit

Array = NDArray[Any]
WIDE, COMPLEX = np.longdouble, np.clongdouble


def bessel(r: Array, frequencies: Array, prefactor: Array) -> Array:
    """sqrt(2 / r_max) sin(w_n r) / r: Gasteiger et al., DimeNet, ICLR 2020 (arXiv 2003.03123), eq. 7.

    Args:
        r: [..., 1] in Å; frequencies: [n] in 1/Å, n pi / r_max unless they were trained; prefactor: sqrt(2 / r_max).
    """
    values: Array = prefactor * np.sin(frequencies * r) / r
    return values


def gaussian(r: Array, centres: Array, coefficient: Array) -> Array:
    """exp(c (r - mu_k)^2), c = -1 / (2 width^2): Schuett et al., SchNet, J. Chem. Phys. 148 (2018) 241722, section II."""
    values: Array = np.exp(coefficient * (r - centres) ** 2)
    return values


def chebyshev(x: Array, count: int) -> Array:
    """T_1 … T_count by their recurrence T_(n+1) = 2 x T_n - T_(n-1) (DLMF 18.9.1). x: [..., 1]."""
    rows = [np.ones_like(x), x]
    while len(rows) <= count:
        rows.append(2 * x * rows[-1] - rows[-2])
    return np.concatenate(rows[1 : count + 1], axis=-1)


def polynomial_cutoff(r: Array, r_max: Array, p: int) -> Array:
    """1 - (p+1)(p+2)/2 x^p + p(p+2) x^(p+1) - p(p+1)/2 x^(p+2) below r_max, 0 beyond; x = r / r_max. DimeNet, eq. 8."""
    x = r / r_max
    envelope = 1 - WIDE((p + 1) * (p + 2)) / 2 * x**p + p * (p + 2) * x ** (p + 1) - WIDE(p * (p + 1)) / 2 * x ** (p + 2)
    values: Array = np.where(r.real < r_max, envelope, 0 * envelope)
    return values


def agnesi(r: Array, r_0: Array, a: Array, q: Array, p: Array) -> Array:
    """1 / (1 + a x^q / (1 + x^(q-p))), x = r / r_0: Witt et al., ACEpotentials.jl, J. Chem. Phys. 159 (2023) 164101."""
    x = r / r_0
    values: Array = 1 / (1 + a * x**q / (1 + x ** (q - p)))
    return values


def soft(r: Array, r_0: Array, alpha: Array) -> Array:
    """p_0 + (r - p_0) (1 + tanh(alpha (r - m) / (p_1 - p_0))) / 2, p_0 = 3/4 r_0, p_1 = 4/3 r_0, m their mean: as upstream documents."""
    low, high = r_0 * WIDE(3) / 4, r_0 * WIDE(4) / 3
    lengths: Array = low + (r - low) * (1 + np.tanh(alpha * (r - (low + high) / 2) / (high - low))) / 2
    return lengths


def zbl(r: Array, z_u: Array, z_v: Array, radii: Array, constants: Mapping[str, Array], p: int) -> Array:
    """Half the screened repulsion of a pair in eV, with the envelope of :func:`polynomial_cutoff` at the sum of covalent radii.

    Ziegler, Biersack & Littmark, The Stopping and Range of Ions in Solids (1985), in the four digits that are customary, with
    the screening length 0.529 Å * a_prefactor / (Z_u^a_exp + Z_v^a_exp) that upstream documents, and 14.3996 eV Å for e^2.

    Args:
        r: [edges, 1] in Å; radii: [edges, 1] in Å.
    """
    screening = WIDE(constants["a_prefactor"]) * WIDE("0.529") / (z_u ** WIDE(constants["a_exp"]) + z_v ** WIDE(constants["a_exp"]))
    x = r / screening
    decays = [WIDE(t) for t in ("3.2", "0.9423", "0.4028", "0.2016")]
    phi = sum(c * np.exp(-d * x) for c, d in zip(constants["c"], decays, strict=True))
    energies: Array = WIDE("14.3996") * z_u * z_v / r * phi / 2 * polynomial_cutoff(r, radii, p)
    return energies


def spherical_harmonics(vectors: Array, degrees: Sequence[int], normalize: bool, normalization: str) -> Array:
    """Real spherical harmonics in e3nn's order: m from -l to l about the axis y, sines first, no Condon-Shortley sign.

    Solid harmonics from the recurrences of Legendre functions (Press et al., Numerical Recipes, section 6.7), homogeneous in
    x, y, z; e3nn documents that they are the usual ones with the arguments (y, z, x).

    Args:
        vectors: [..., 3]; normalize: whether they are divided by their length first.
        normalization: ``norm`` (the squares of a degree add up to 1), ``component`` (to 2l + 1), ``integral`` ((2l + 1) / 4 pi).
    """
    square = (vectors**2).sum(-1)
    if normalize:
        vectors, square = vectors / np.sqrt(square)[..., None], np.ones_like(square)
    second, polar, first = (vectors[..., i] for i in range(3))  # x, y, z: y is the polar axis, z has azimuth 0
    top = max(degrees)
    cosines, sines = [np.ones_like(polar)], [np.zeros_like(polar)]
    for _ in range(top):
        cosines, sines = [*cosines, cosines[-1] * first - sines[-1] * second], [*sines, cosines[-1] * second + sines[-1] * first]
    legendre: dict[tuple[int, int], Array] = {}
    for m in range(top + 1):
        legendre[m, m] = np.ones_like(polar) * WIDE(int(np.prod([2 * k - 1 for k in range(1, m + 1)], dtype=object)))
        for degree in range(m + 1, top + 1):
            lower = legendre.get((degree - 2, m), np.zeros_like(polar))
            legendre[degree, m] = ((2 * degree - 1) * polar * legendre[degree - 1, m] - (degree + m - 1) * square * lower) / WIDE(degree - m)
    scales: dict[str, Callable[[int], Any]] = {
        "norm": lambda _: WIDE(1), "component": lambda d: np.sqrt(WIDE(2 * d + 1)), "integral": lambda d: np.sqrt(WIDE(2 * d + 1) / (4 * pi()))
    }  # fmt: skip
    columns = []
    for degree in degrees:
        for m in range(-degree, degree + 1):
            k = abs(m)
            factor = np.sqrt(WIDE(factorial(degree - k)) / WIDE(factorial(degree + k)) * (2 if m else 1)) * scales[normalization](degree)
            columns.append(factor * legendre[degree, k] * (sines[k] if m < 0 else cosines[k]))
    return np.stack(columns, axis=-1)


def pi() -> Any:
    """Pi in the widest type (numpy's own constant is a float64)."""
    return WIDE("3.14159265358979323846264338327950288")


def summed(rows: Array, index: Array, size: int) -> Array:
    """Rows [n, ...] added into ``size`` rows by index: [n], or of as many dimensions as the rows, those of size 1 for all alike."""
    flat = rows.reshape(len(rows), -1)
    where = np.broadcast_to(index.reshape(*index.shape, *[1] * (rows.ndim - index.ndim)), rows.shape).reshape(flat.shape)
    totals = np.zeros((size, flat.shape[1]), dtype=rows.dtype)
    np.add.at(totals, (where, np.arange(flat.shape[1])), flat)
    return totals.reshape(size, *rows.shape[1:])


def linear(x: Array, weight: Array, bias: Array | None, irreps_in: Sequence[tuple[int, int]], irreps_out: Sequence[tuple[int, int]],
           paths: Sequence[tuple[int, int]]) -> Array:  # fmt: skip
    """An equivariant linear map: each output irrep is sum over paths of W^T x over the square root of how many channels enter it.

    Geiger & Smidt, e3nn (arXiv 2207.09453), section on linear layers (``path_normalization="element"``).

    Args:
        x: [rows, sum of multiplicity * dimension]; weight: [sum over paths of in * out], flat; bias: on scalars, flat.
        irreps_in, irreps_out: (multiplicity, dimension) of each irrep; paths: (input, output) by index, in the order of the weights.
    """
    starts = np.concatenate([[0], np.cumsum([m * d for m, d in irreps_in])])
    entering = {o: sum(irreps_in[i][0] for i, j in paths if j == o) for _, o in paths}
    outputs = [np.zeros((x.shape[0], mul, dim), dtype=np.result_type(x, weight)) for mul, dim in irreps_out]
    used = 0
    for i, o in paths:
        (mul, dim), wanted = irreps_in[i], irreps_out[o][0]
        w = weight[used : used + mul * wanted].reshape(mul, wanted)
        used += mul * wanted
        part = x[:, starts[i] : starts[i + 1]].reshape(-1, mul, dim)
        outputs[o] = outputs[o] + np.einsum("nud,uw->nwd", part, w) / np.sqrt(WIDE(entering[o]))
    if bias is not None and bias.size:
        used = 0
        for o, (mul, dim) in enumerate(irreps_out):
            if dim == 1:
                outputs[o] = outputs[o] + bias[used : used + mul][None, :, None]
                used += mul
    return np.concatenate([y.reshape(x.shape[0], -1) for y in outputs], axis=1)


def logistic(x: Array) -> Array:
    """1 / (1 + exp(-x)), without overflow."""
    negative = x.real < 0
    small = np.exp(np.where(negative, x, -x))
    return np.where(negative, small / (1 + small), 1 / (1 + small))


ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "silu": lambda x: x * logistic(x),
    "sigmoid": logistic,
    "tanh": np.tanh,
    "abs": lambda x: np.where(x.real < 0, -x, x),
}
_PLAIN: dict[str, Callable[[float], float]] = {
    "silu": lambda x: x * float(expit(x)),
    "sigmoid": lambda x: float(expit(x)),
    "tanh": np.tanh,
    "abs": abs,
}
SAMPLES = 1_000_000  # normal deviates with which e3nn estimates an activation's second moment


def normalisation(name: str) -> tuple[float, float]:
    """1 / sqrt(<f(z)^2>), z standard normal, by quadrature, and the standard deviation of e3nn's estimate of it.

    e3nn does not integrate: ``normalize2mom`` takes the mean over a million random numbers of a fixed seed, so that its
    constant is off by 1e-3 of itself (silu: 1.67918 where quadrature gives 1.67653), the same in all its versions.
    """
    f = _PLAIN[name]

    def moment(power: int) -> float:
        value, _ = quad(lambda z: f(z) ** power * np.exp(-z * z / 2) / np.sqrt(2 * np.pi), -40, 40, points=[-6.0, 0.0, 6.0], limit=200)
        return float(value)

    second, fourth = moment(2), moment(4)
    return second**-0.5, 0.5 * second**-1.5 * float(np.sqrt((fourth - second**2) / SAMPLES))


def radial_net(x: Array, weights: Sequence[Array], activation: str, constant: Any) -> Array:
    """Products x W / sqrt(inputs) and a normalised activation in turns, none after the last: e3nn's FullyConnectedNet, unit variances."""
    for i, w in enumerate(weights):
        x = np.einsum("ni,io->no", x, w) / np.sqrt(WIDE(w.shape[0]))
        if i + 1 < len(weights):
            x = ACTIVATIONS[activation](x) * constant
    return x


def layer_norm(x: Array, weight: Array | int, bias: Array | int, eps: float) -> Array:
    """(x - mean) / sqrt(variance + eps) weight + bias over the last axis: Ba, Kiros & Hinton (arXiv 1607.06450)."""
    centred = x - x.mean(-1, keepdims=True)
    normed: Array = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + WIDE(eps)) * weight + bias
    return normed
