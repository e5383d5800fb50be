"""Blocks whose mathematics is published, against an implementation of our own: what no comparison of upstream with itself sees.

The float64 reference is upstream's too: a radial basis that was wrong from the start is wrong in the reference as well, and
smooth, symmetric and conservative besides. Here every such block, on the arguments that it got and on others drawn over its
domain, is compared with the formula in numpy's widest type, in units of the block's own rounding noise in float64.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch

from mpcheck._raised import Raised, attempt
from mpcheck._text import listed
from mpcheck._unsupported import Unsupported
from mpcheck.adapters.backends.protocol import BackendModel
from mpcheck.adapters.execution import Run, Tensors
from mpcheck.adapters.facts.blocks import BlockFacts, Constant
from mpcheck.adapters.facts.closed_forms import closed_form
from mpcheck.adapters.facts.tables import digits_of
from mpcheck.adapters.tree import unflatten
from mpcheck.adapters.upstream import default_dtype
from mpcheck.checks.physics.block_formulae import computed
from mpcheck.checks.physics.drawing import drawn, thinned
from mpcheck.checks.physics.formulae import ACTIVATIONS, COMPLEX, WIDE, normalisation
from mpcheck.checks.physics.structure import SIGMAS, Case, Values
from mpcheck.formats import FLOAT64
from mpcheck.judge.compared import Compared
from mpcheck.judge.metrics import widened
from mpcheck.judge.refusing import usable
from mpcheck.judge.scale import UNIFORM_SPREAD
from mpcheck.judge.tolerances import limits_for
from mpcheck.records.record import Record
from mpcheck.reference.build import random_cotangents
from mpcheck.reference.deviation import disturbed, squares
from mpcheck.reference.library import BlockReference
from mpcheck.reference.noise import seed_of
from mpcheck.reference.whole_noise import ROUNDOFF

CONSTANTS, FORWARD, GRADIENT = "constants", "forward", "gradient"
DRAWS = 8  # of Monte Carlo arithmetic: the scale of few roundings is then known to a quarter
# torch's exponentials, sines and powers are good to 1.0 ULP (SLEEF), twice a rounding, and silu rounds three times in what counts
# as one operation: 0.97 measured of the radial networks of builtin:hco, 0.94 of its activation, 0.5 to 0.85 of all other blocks.
COMPOUND = 2.0
# e3nn 0.4.4's coupling coefficients are off by up to 23 u for l <= 3 and cuEquivariance 0.13's by 13 u, which the check of
# equivariance reports as a fault of e3nn's; each enters the result once: 3.4 measured of conv_tp, l <= 2 (e3nn) and 3.7 (cueq).
TABLES = 32.0
STEP = 1e-100  # of the complex step: its square vanishes beside one in every type
COARSE = ((8, 2.0**-8), (11, 2.0**-11))  # binary digits of bfloat16 and float16, and their roundoff
ROUNDINGS = 4.0  # that a stored constant may have been through: two factors, their quotient, a root
SINGLE = 2.0**-24


@dataclass(frozen=True)
class FormulaComparison(Compared):
    """One comparison: of a block, the quantity, by how much it is off, and what is allowed."""

    kind: str
    block: str
    what: str
    ratio: float
    limit: float


def closed_forms(case: Case) -> list[Record]:
    """Three findings: stored constants against their definitions, results, and gradients."""
    backend = case.context.backend(case.key.backend)
    assert not isinstance(backend, Unsupported), "checked before"
    library = case.context.library(case.key.system)
    rows: list[FormulaComparison] = []
    judged, missing = set(), set()
    # upstream's pair repulsion computes in torch's default type, which is the audit of dtypes' to blame
    with default_dtype(torch.float64):
        for block in case.context.blocks(case.key.system):
            if isinstance(usable(library, backend, block, FLOAT64), Unsupported):
                continue
            facts = closed_form(block, case.context.reference_backend.model)
            if isinstance(facts, str):
                missing.add(facts)
                continue
            judged.add(block.name)
            rows += list(_judge(case, backend, library.get(block.name), facts))
    metrics: dict[str, float | str | bool] = {"blocks": float(len(judged))}
    if missing:
        metrics["unsupported"] = f"no closed form of {', '.join(sorted(missing))}"
    if not judged:
        return [case.finding(None, reason=f"unsupported: {metrics.get('unsupported', 'no block')}", verdict="unsupported", metrics=metrics)]
    return [_finding(case, kind, [r for r in rows if r.kind == kind], metrics) for kind in (CONSTANTS, FORWARD, GRADIENT)]


def _finding(case: Case, kind: str, rows: list[FormulaComparison], metrics: Mapping[str, float | str | bool]) -> Record:
    """Blames the block that is farthest off, but no composite of which a part is off: the part made it wrong."""
    if not rows:
        return case.finding(0.0, variant=kind, metrics=metrics)
    off = {r.block for r in rows if not r.share <= 1.0}
    guilty = {b for b in off if not any(o.startswith(f"{b}.") for o in off)}
    worst = max((r for r in rows if not guilty or r.block in guilty), key=lambda r: r.share)
    others = sorted(guilty - {worst.block})
    also = f"; so do {listed(others, 4)}" if others else ""
    reason = f"{worst.block}: {worst.what} is not what its definition gives{also}"
    return case.finding(
        worst.ratio, limit=worst.limit, variant=kind, worst=f"{worst.block}, {worst.what}", reason=reason, metrics=dict(metrics), block=worst.block
    )


def _judge(case: Case, backend: BackendModel, reference: BlockReference, facts: BlockFacts) -> Iterator[FormulaComparison]:
    block = reference.block.name
    for name, constant in facts.constants.items():
        yield FormulaComparison(CONSTANTS, block, f"constant {name}", *_constant(constant))
    seed = seed_of("closed forms", case.context.seed, case.key.system, block)
    captured = thinned(reference.inputs, facts, seed)
    for where, inputs in (("captured arguments", captured), ("drawn arguments", drawn(captured, facts, case.context.model.r_max, seed))):
        if any(t.numel() == 0 for t in inputs.values()):
            continue
        limit = limits_for(case.context.tolerances, block, backend.name, FLOAT64.name, "forward").rms
        compared = partial(_compare, case, backend, reference, facts, inputs, (seed, where), limit)
        rows = attempt(lambda compared=compared: list(compared()))  # type: ignore[misc]  # a loop's variable, bound
        if isinstance(rows, Raised):
            yield FormulaComparison(FORWARD, block, f"its call on {where}, which raised {rows.text},", math.inf, 1.0)
        else:
            yield from rows


def _constant(constant: Constant) -> tuple[float, float]:
    """Ratio and limit of a stored constant."""
    if constant.activation:
        if constant.activation not in ACTIVATIONS:
            return 0.0, 1.0
        exact, deviation = normalisation(constant.activation)
        return abs(float(constant.stored) - exact) / deviation, SIGMAS
    assert constant.defined is not None, "a constant has a definition or is an activation's"
    if constant.stored.shape != constant.defined.shape:
        return math.inf, ROUNDINGS
    # a model that was once kept in float32 has its rounding, also in what its constants follow from; one in 16 bits has coarser constants
    single = any(bool((t == t.astype(np.float32)).all()) for t in (constant.stored, *constant.follows))
    digits = digits_of(torch.from_numpy(np.ascontiguousarray(constant.stored)))
    held = next((u for most, u in COARSE if digits <= most), SINGLE if single else ROUNDOFF)
    error, size = np.abs(constant.stored - constant.defined), np.abs(constant.defined)
    worst = float(np.max(error / np.where(size > 0, size, 1.0)))
    return (math.inf if math.isnan(worst) else worst / held), ROUNDINGS


def _compare(
    case: Case, backend: BackendModel, reference: BlockReference, facts: BlockFacts, inputs: Tensors, key: tuple[object, ...], limit: float
) -> Iterator[FormulaComparison]:
    base = case.context.reference_backend
    directions = _directions(inputs, facts, key)

    def values() -> Values:
        return _evaluate(base, reference, inputs, directions, key)

    exact = values()
    noise = squares(disturbed(values), exact, [seed_of(*key, draw) for draw in range(DRAWS)], torch.square)
    computed_values = exact if backend is base else _evaluate(backend, reference, inputs, directions, key)
    expected = _expected(reference, facts, inputs, directions, {n: tuple(t.shape) for n, t in exact.items()}, key)
    where = str(key[-1])
    for name, value in expected.items():
        gradient = name.startswith("derivative")
        what = f"{name} on {where}"
        if name not in computed_values:
            if gradient and (name in exact or float(np.abs(value)) == 0.0):
                continue  # a parameter that this backend has in another form, or an argument that makes no difference
            yield FormulaComparison(GRADIENT if gradient else FORWARD, reference.block.name, f"{what}, which is missing,", math.inf, 1.0)
            continue
        scale = ROUNDOFF * math.sqrt(float((sum(noise[name], torch.zeros_like(exact[name])) / DRAWS).mean()))
        ratio, size = _ratio(computed_values[name], value, scale), max(1, len(np.unique(np.abs(value))))
        allowed = (
            SIGMAS * limit * (TABLES if facts.formula == "tensor_product" else 1.0)
            if gradient
            else _compound(facts) * widened(limit, math.sqrt((UNIFORM_SPREAD**2 + 2 / DRAWS) / size))
        )
        yield FormulaComparison(GRADIENT if gradient else FORWARD, reference.block.name, what, ratio, allowed)


def _compound(facts: BlockFacts) -> float:
    """How much larger than one rounding's the error of one operation may be.

    torch computes a Chebyshev polynomial in one operation with two roundings a degree (1.96 measured at degree 7).
    """
    return TABLES if facts.formula == "tensor_product" else COMPOUND * max(1.0, math.sqrt(facts.options.get("count", 0) / 2))


def _ratio(computed_value: torch.Tensor, expected: Any, scale: float) -> float:
    """RMS error in units of the noise, or of half a roundoff of the value where no operation rounds."""
    exact = np.asarray(expected)
    if tuple(computed_value.shape) != exact.shape:
        return math.inf
    error = float(np.sqrt(np.mean((computed_value.cpu().numpy().astype(WIDE) - exact) ** 2)))
    floor = 0.5 * ROUNDOFF * float(np.sqrt(np.mean(exact**2)))
    if error == 0.0:
        return 0.0
    return error / max(scale, floor) if math.isfinite(error) and max(scale, floor) > 0 else math.inf


def _directions(inputs: Tensors, facts: BlockFacts, key: tuple[object, ...]) -> Tensors:
    """Standard normal directions to differentiate along: of floating-point arguments, and of ``weight.NAME``."""
    wanted = {n: tuple(t.shape) for n, t in inputs.items() if t.is_floating_point()}
    wanted |= {f"weight.{n}": v.shape for n, v in facts.parameters.items()}
    directions = {}
    for name, shape in wanted.items():
        generator = torch.Generator().manual_seed(seed_of("direction", name, *key))
        directions[name] = torch.randn(shape, dtype=torch.float64, generator=generator)
    return directions


def _evaluate(backend: BackendModel, reference: BlockReference, inputs: Tensors, directions: Tensors, key: tuple[object, ...]) -> Values:
    """Outputs, and ``derivative by NAME``: of a random weighted sum of all outputs along the argument's direction."""
    block = reference.block
    with backend.prepared(block, FLOAT64):
        run = Run(lambda arguments: backend.call(block, arguments), reference.skeleton, inputs, backend.parameters(block), True)
        values = {n: t.detach() for n, t in run.outputs.items()}
        weights = random_cotangents(values, *key)
        by_input, by_parameter = run.backward(weights)
        gradients = {**by_input, **{f"weight.{n}": g for n, g in backend.reference_gradients(block, by_parameter).items()}}
    for name, gradient in gradients.items():
        if name in directions and directions[name].numel() == gradient.numel():
            along = directions[name].to(gradient.device).reshape(gradient.shape)
            values[f"derivative by {name}"] = (gradient.double() * along).sum()
    return values


def _expected(
    reference: BlockReference, facts: BlockFacts, inputs: Tensors, directions: Tensors, shapes: Mapping[str, tuple[int, ...]], key: tuple[object, ...]
) -> dict[str, Any]:
    """The same by the formula."""
    arrays = {n: t.cpu().numpy().astype(WIDE) if t.is_floating_point() else t.cpu().numpy() for n, t in inputs.items()}
    held = {n: v.astype(WIDE) for n, v in facts.parameters.items()}

    def value(changed: Mapping[str, Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
        return computed(facts, unflatten(reference.skeleton, changed), parameters)

    expected: dict[str, Any] = value(arrays, held)
    weights = random_cotangents({n: torch.empty(shapes[n]) for n in expected if n in shapes}, *key)
    for name, direction in directions.items():
        moved, own = dict(arrays), dict(held)
        target, place = (own, name.removeprefix("weight.")) if name.startswith("weight.") else (moved, name)
        step = STEP * direction.numpy().astype(WIDE)
        target[place] = target[place].astype(COMPLEX) + COMPLEX(1j) * step.reshape(target[place].shape)
        derivatives = value(moved, own)
        expected[f"derivative by {name}"] = sum(np.sum(derivatives[n].imag / WIDE(STEP) * w.numpy()) for n, w in weights.items())
    return expected
