"""From what a block documents and the arguments that it got to what it must return, by the published formulae."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from mpcheck.adapters.facts.blocks import BlockFacts
from mpcheck.checks.physics import formulae
from mpcheck.checks.physics.coupled import coupling, tensor_product
from mpcheck.checks.physics.formulae import WIDE, Array

Arrays = Mapping[str, Array]


def computed(facts: BlockFacts, arguments: Mapping[str, Any], parameters: Arrays) -> dict[str, Array]:
    """Outputs by name (``out``, or ``out.0`` … of a tuple) in numpy's widest type, or complex.

    Args:
        arguments: the block's; floating-point ones in the widest type, real or complex.
        parameters: the block's trainable ones, likewise.
    """
    fixed = {n: v.astype(WIDE) for n, v in facts.numbers.items()}
    return _FORMULAE[facts.formula](facts.options, arguments, {**fixed, **parameters})


def _edge_vectors(_: Mapping[str, Any], x: Mapping[str, Any], __: Arrays) -> dict[str, Array]:
    """From sender to receiver, and their lengths: upstream's convention (mace.modules.utils)."""
    sender, receiver = x["edge_index"]
    vectors = x["positions"][receiver] - x["positions"][sender] + x["shifts"]
    return {"out.0": vectors, "out.1": np.sqrt((vectors**2).sum(-1, keepdims=True))}


def _sum(_: Mapping[str, Any], x: Mapping[str, Any], __: Arrays) -> dict[str, Array]:
    rows = x["src"]
    axis = x.get("dim", 0) % rows.ndim
    size = x["dim_size"] if x.get("dim_size") is not None else int(x["index"].max()) + 1
    return {"out": np.moveaxis(formulae.summed(np.moveaxis(rows, axis, 0), x["index"], size), 0, axis)}


def _pair(x: Mapping[str, Any]) -> tuple[Array, Array]:
    """Atomic numbers [edges, 1] of senders and receivers."""
    of_atom = x["atomic_numbers"][x["node_attrs"].real.argmax(1)]
    sender, receiver = x["edge_index"]
    return of_atom[sender][:, None], of_atom[receiver][:, None]


def _agnesi(_: Mapping[str, Any], x: Mapping[str, Any], p: Arrays) -> dict[str, Array]:
    u, v = _pair(x)
    r_0 = (p["covalent_radii"][u] + p["covalent_radii"][v]) / 2
    return {"out": formulae.agnesi(x["x"], r_0, p["a"], p["q"], p["p"])}


def _soft(_: Mapping[str, Any], x: Mapping[str, Any], p: Arrays) -> dict[str, Array]:
    u, v = _pair(x)
    return {"out": formulae.soft(x["x"], p["covalent_radii"][u] + p["covalent_radii"][v], p["alpha"])}


def _zbl(options: Mapping[str, Any], x: Mapping[str, Any], p: Arrays) -> dict[str, Array]:
    u, v = _pair(x)
    pair = formulae.zbl(x["x"], u.astype(WIDE), v.astype(WIDE), p["covalent_radii"][u] + p["covalent_radii"][v], p, options["p"])
    return {"out": formulae.summed(pair, x["edge_index"][1], x["node_attrs"].shape[0])[:, 0]}


def _radial_embedding(options: Mapping[str, Any], x: Mapping[str, Any], p: Arrays) -> dict[str, Array]:
    """Basis of the transformed length, times the envelope of the length itself unless that is left to the interactions."""

    def part(name: str, lengths: Array) -> Array:
        prefix = f"{options['names'][name]}."
        own = {n.removeprefix(prefix): v for n, v in p.items() if n.startswith(prefix)}
        return computed(options["inner"][name], {**x, "x": lengths}, own)["out"]

    lengths = x["edge_lengths"]
    envelope = part("cutoff", lengths)
    radial = part("basis", part("transform", lengths) if "transform" in options["inner"] else lengths)
    return {"out.0": radial * envelope} if options["apply_cutoff"] else {"out.0": radial, "out.1": envelope}


def _linear(options: Mapping[str, Any], x: Mapping[str, Any], p: Arrays) -> dict[str, Array]:
    return {"out": formulae.linear(x["features"], p["weight"], p.get("bias"), options["irreps_in"], options["irreps_out"], options["paths"])}


def _radial_net(options: Mapping[str, Any], x: Mapping[str, Any], p: Arrays) -> dict[str, Array]:
    weights = [p[f"layer{i}.weight"] for i in range(len(p))]
    return {"out": formulae.radial_net(x["input"], weights, options["activation"], options["constant"].astype(WIDE))}


def _radial_mlp(options: Mapping[str, Any], x: Mapping[str, Any], p: Arrays) -> dict[str, Array]:
    y = x[options["argument"]]
    for prefix, kind, eps in options["stack"]:
        if kind == "Linear":
            y = np.einsum("ni,oi->no", y, p[f"{prefix}weight"]) + p.get(f"{prefix}bias", 0.0)  # an embedding's last layer has none
        elif kind == "LayerNorm":
            y = formulae.layer_norm(y, p[f"{prefix}weight"], p[f"{prefix}bias"], eps)
        else:
            y = formulae.ACTIVATIONS["silu"](y)
    return {"out": y}


def _activation(options: Mapping[str, Any], x: Mapping[str, Any], _: Arrays) -> dict[str, Array]:
    columns, start = [], 0
    for (mul, dim), act in zip(options["irreps"], options["acts"], strict=True):
        part = x["features"][:, start : start + mul * dim]
        columns.append(part if act is None else formulae.ACTIVATIONS[act[0]](part) * act[1].astype(WIDE))
        start += mul * dim
    return {"out": np.concatenate(columns, axis=1)}


def _reshape(options: Mapping[str, Any], x: Mapping[str, Any], _: Arrays) -> dict[str, Array]:
    """[rows, multiplicity * dimension, …] to [rows, multiplicity, sum of dimensions]."""
    parts, start = [], 0
    for mul, dim in options["irreps"]:
        parts.append(x["tensor"][:, start : start + mul * dim].reshape(-1, mul, dim))
        start += mul * dim
    return {"out": np.concatenate(parts, axis=2)}


def _tensor_product(options: Mapping[str, Any], x: Mapping[str, Any], p: Arrays) -> dict[str, Array]:
    paths = []
    for i, j, k in options["paths"]:
        degrees = (options["irreps"][0][i][1], options["irreps"][1][j][1], options["irreps"][2][k][1])
        ours = coupling(*degrees)
        place = np.abs(ours).argmax()
        paths.append((i, j, k, 1 if ours.flat[place] * options["tables"][degrees].flat[place] > 0 else -1))
    weight = p["weight"] if "weight" in p else x["weight"]
    return {"out": tensor_product(x["x"], x["y"], weight, options["irreps"], paths, options["mode"])}


_FORMULAE: Mapping[str, Callable[[Mapping[str, Any], Mapping[str, Any], Arrays], dict[str, Array]]] = {
    "edge_vectors": _edge_vectors,
    "sum": _sum,
    "bessel": lambda o, x, p: {"out": formulae.bessel(x["x"], p["bessel_weights"], p["prefactor"])},
    "gaussian": lambda o, x, p: {"out": formulae.gaussian(x["x"], p["gaussian_weights"], p["coeff"])},
    "chebyshev": lambda o, x, p: {"out": formulae.chebyshev(x["x"], o["count"])},
    "cutoff": lambda o, x, p: {"out": formulae.polynomial_cutoff(x["x"], p["r_max"], o["p"])},
    "agnesi": _agnesi,
    "soft": _soft,
    "zbl": _zbl,
    "radial_embedding": _radial_embedding,
    "harmonics": lambda o, x, p: {"out": formulae.spherical_harmonics(x["x"], o["degrees"], o["normalize"], o["normalization"])},
    "atomic_energies": lambda o, x, p: {"out": np.einsum("ne,he->nh", x["x"], p["energies"])},
    "scale_shift": lambda o, x, p: {"out": p["scale"][x["head"]] * x["x"] + p["shift"][x["head"]]},
    "linear": _linear,
    "radial_net": _radial_net,
    "radial_mlp": _radial_mlp,
    "activation": _activation,
    "reshape": _reshape,
    "tensor_product": _tensor_product,
}
