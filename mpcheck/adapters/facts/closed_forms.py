"""Facts of upstream's blocks, looked up by class: what their published formulae take as given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from mpcheck.adapters.blocks import Block
from mpcheck.adapters.facts.blocks import BlockFacts, Constant, Numbers, numbers, parameters_of
from mpcheck.adapters.facts.radial import RADIAL
from mpcheck.adapters.steps import step_kind
from mpcheck.adapters.upstream import o3


def closed_form(block: Block, model: torch.nn.Module) -> BlockFacts | str:
    """The facts of a block of an e3nn model; why there is no formula where there is none.

    Classes are looked up by name, because a changed class of upstream's is what is to be judged.
    """
    if block.kind == "step":
        return _step(block)
    module = model.get_submodule(block.module_path)
    make = _CLASSES.get(type(module).__name__)
    if make is None:
        return type(module).__name__
    try:
        return make(module, model)
    except (AttributeError, KeyError) as error:  # a scripted or a newer module that lacks what the formula needs
        return f"{type(module).__name__}, of which {error} is not known"


def _step(block: Block) -> BlockFacts:
    kind = step_kind(block.name)
    if kind == "edge_vectors":
        return BlockFacts("edge_vectors", rows={"edge_index": 1, "shifts": 0}, domain={"positions": "normal", "shifts": "normal"})
    return BlockFacts("sum", rows={"src": 0, "index": 0}, domain={"src": "normal"})


def _harmonics(module: Any, model: Any) -> BlockFacts:
    options = {"degrees": [ir.l for mul, ir in o3.Irreps(module.irreps_out) for _ in range(mul)], "normalize": bool(module.normalize)}
    return BlockFacts("harmonics", options={**options, "normalization": str(module.normalization)}, rows={"x": 0}, domain={"x": "vector"})


def _atomic_energies(module: Any, model: Any) -> BlockFacts:
    return BlockFacts("atomic_energies", {}, {"energies": np.atleast_2d(numbers(module.atomic_energies))}, {}, {"x": 0}, {"x": "normal"})


def _scale_shift(module: Any, model: Any) -> BlockFacts:
    held = {n: np.atleast_1d(numbers(getattr(module, n))) for n in ("scale", "shift")}
    return BlockFacts("scale_shift", {}, held, {}, {"x": 0, "head": 0}, {"x": "normal"})


def _irreps(irreps: Any) -> list[tuple[int, int]]:
    return [(mul, ir.dim) for mul, ir in o3.Irreps(irreps)]


def _linear(module: Any, model: Any) -> BlockFacts:
    options = {"irreps_in": _irreps(module.irreps_in), "irreps_out": _irreps(module.irreps_out)}
    paths = [(i.i_in, i.i_out) for i in module.instructions if i.i_in >= 0]
    held = {"weight": numbers(module.weight)}
    if getattr(module, "bias", None) is not None and module.bias.numel():
        held["bias"] = numbers(module.bias)
    own = {n: held[n] for n in parameters_of(module) if n in held}
    return BlockFacts("linear", own, held, {**options, "paths": paths}, {"features": 0}, {"features": "normal"})


def _named(function: Any) -> tuple[str, Constant, Numbers]:
    """A normalised activation: its name, its constant, and the factor that it multiplies with (e3nn leaves out one of 1)."""
    name, stored = str(getattr(function.f, "__name__", type(function.f).__name__)).lower(), numbers(function.cst)
    return name, Constant(stored, activation=name), np.asarray(1.0) if function._is_id else stored


def _radial_net(module: Any, model: Any) -> BlockFacts:
    layers = [layer for _, layer in module.named_children()]
    if any(layer.var_in != 1 or layer.var_out != 1 for layer in layers) or layers[-1].act is not None:
        raise AttributeError("the formula of other variances")
    held = {f"layer{i}.weight": numbers(layer.weight) for i, layer in enumerate(layers)}
    if len(layers) == 1:
        return BlockFacts("radial_net", held, {}, {"activation": "silu", "constant": np.asarray(1.0)}, {"input": 0}, {"input": "normal"})
    name, constant, factor = _named(layers[0].act)
    return BlockFacts("radial_net", held, {}, {"activation": name, "constant": factor}, {"input": 0}, {"input": "normal"}, {f"{name}'s": constant})


def _radial_mlp(module: Any, model: Any) -> BlockFacts:
    """Upstream's RadialMLP, or the stack inside it, which is the block that a model calls."""
    inside, prefix, argument = (module.net, "net.", "inputs") if hasattr(module, "net") else (module, "", "input")
    stack = [(f"{prefix}{n}.", type(layer).__name__, float(getattr(layer, "eps", 0.0))) for n, layer in inside.named_children()]
    if any(kind not in ("Linear", "LayerNorm", "SiLU") for _, kind, _ in stack):
        raise AttributeError("a layer's formula")
    return BlockFacts("radial_mlp", parameters_of(module), {}, {"stack": stack, "argument": argument}, {argument: 0}, {argument: "normal"})


def _activation(module: Any, model: Any) -> BlockFacts:
    acts = [None if act is None else _named(act) for act in module.acts]
    options = {"irreps": _irreps(module.irreps_in), "acts": [None if a is None else (a[0], a[2]) for a in acts]}
    made = {f"{a[0]}'s": a[1] for a in acts if a is not None}
    return BlockFacts("activation", {}, {}, options, {"features": 0}, {"features": "normal"}, made)


def _reshape(module: Any, model: Any) -> BlockFacts:
    return BlockFacts("reshape", options={"irreps": _irreps(module.irreps)}, rows={"tensor": 0}, domain={"tensor": "normal"})


def _tensor_product(module: Any, model: Any) -> BlockFacts:
    """Paths carry e3nn's own coupling, of which a formula needs the sign: that alone is a convention."""
    sides = (module.irreps_in1, module.irreps_in2, module.irreps_out)
    irreps = [[(mul, ir.l) for mul, ir in o3.Irreps(side)] for side in sides]
    modes = {i.connection_mode for i in module.instructions}
    if len(modes) != 1 or not modes <= {"uvu", "uvw"} or not all(i.has_weight for i in module.instructions):
        raise AttributeError("the formula of its connection modes")
    paths = [(i.i_in1, i.i_in2, i.i_out) for i in module.instructions]
    degrees = {(irreps[0][i][1], irreps[1][j][1], irreps[2][k][1]) for i, j, k in paths}
    tables = {d: numbers(o3.wigner_3j(*d, dtype=torch.float64)) for d in degrees}
    options = {"irreps": irreps, "paths": paths, "mode": modes.pop(), "tables": tables}
    inner = bool(module.internal_weights)
    rows = {"x": 0, "y": 0} if inner else {"x": 0, "y": 0, "weight": 0}
    return BlockFacts("tensor_product", parameters_of(module) if inner else {}, {}, options, rows, dict.fromkeys(rows, "normal"))


_CLASSES: dict[str, Callable[[Any, Any], BlockFacts]] = {
    **RADIAL, "SphericalHarmonics": _harmonics, "AtomicEnergiesBlock": _atomic_energies, "ScaleShiftBlock": _scale_shift, "Linear": _linear,
    "FullyConnectedNet": _radial_net, "RadialMLP": _radial_mlp, "Sequential": _radial_mlp, "Activation": _activation, "reshape_irreps": _reshape,
    "TensorProduct": _tensor_product, "FullyConnectedTensorProduct": _tensor_product,
}  # fmt: skip
