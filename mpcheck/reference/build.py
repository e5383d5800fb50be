"""The reference of one block: float64 values, cotangents, gradients, and their noise scale in components."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch

from mpcheck.adapters.backends.casting import tensors_of
from mpcheck.adapters.backends.e3nn import E3nnModel
from mpcheck.adapters.backends.parametrisation import converted, converted_perturbed, own_gradients, takes_reduced
from mpcheck.adapters.blocks import Block
from mpcheck.adapters.execution import Run, Tensors
from mpcheck.adapters.parts import parts_of
from mpcheck.adapters.steps import ENERGY_SUM, step_kind
from mpcheck.formats import COMPONENTS, Component
from mpcheck.reference.deviation import Draw, deviations, disturbed
from mpcheck.reference.faults import UnsteadyError
from mpcheck.reference.moments import Moments
from mpcheck.reference.noise import CensusMode, eta_of, largest, perturb, perturb_absolute, seed_of
from mpcheck.reference.spec import draws_of
from mpcheck.reference.steady import beyond_noise, copied

RANDOM, ENERGY = "random", "energy"


def random_cotangents(outputs: Mapping[str, torch.Tensor], *key: object) -> Tensors:
    """Standard normal cotangents of every output, seeded by the block."""
    cotangents: Tensors = {}
    for name, output in outputs.items():
        generator = torch.Generator().manual_seed(seed_of("cotangent", name, *key))
        cotangents[name] = torch.randn(output.shape, dtype=torch.float64, generator=generator).to(output.device)
    return cotangents


def scaled(cotangents: Mapping[str, torch.Tensor]) -> Tensors:
    """Energy cotangents with their largest magnitude scaled to a power of two near 1, as loss scaling does: exact."""
    largest = max((float(c.abs().max()) for c in cotangents.values() if c.numel()), default=0.0)
    if largest == 0.0:
        return {}
    _, exponent = torch.frexp(torch.tensor(largest, dtype=torch.float64))
    return {n: torch.ldexp(c, -exponent) for n, c in cotangents.items()}


def evaluate(backend: E3nnModel, block: Block, skeleton: Any, inputs: Mapping[str, torch.Tensor], cotangents: Mapping[str, Tensors]) -> Tensors:
    """Every float64 quantity of a block by name: ``out…``, ``grad.CASE.INPUT``, ``weight.CASE.PARAMETER``."""
    run = Run(lambda arguments: backend.call(block, arguments), skeleton, inputs, backend.parameters(block), bool(cotangents))
    values = {n: t.detach() for n, t in run.outputs.items()}
    for case, cotangent in cotangents.items():
        by_input, by_parameter = run.backward(cotangent, retain=True)
        values.update({f"grad.{case}.{n}": g for n, g in by_input.items()})
        by_parameter.update(own_gradients(backend.module(block), by_parameter, takes_reduced(backend.model)))
        values.update({f"weight.{case}.{n}": g for n, g in by_parameter.items()})
    return values


BY_PLACE: tuple[Component, ...] = ("inner", "operation")
"""What rounds by where in a tensor a number lies, too: the last rows of a matrix product, and the last numbers of a vectorised function, are
computed otherwise. Rows that are equal then differ in their last digit, and what symmetry makes of them, in a composite, does not cancel."""


def build_reference(
    backend: E3nnModel,
    block: Block,
    skeleton: Any,
    inputs: Tensors,
    energy: Tensors,
    seed: int,
    draws: int,
    between: Callable[[], object] = lambda: None,
    apart: bool = False,
) -> tuple[Tensors, dict[str, Any]]:
    """Values and noise of one block.

    Args:
        backend: the float64 e3nn model.
        inputs: the block's arguments.
        energy: the energy's cotangents of its outputs, may be empty.
        seed, draws: of the Monte Carlo arithmetic.
        apart: equal numbers err independently, see :func:`mpcheck.reference.hashing.hashed`.
        between: runs something else, after which the block must compute what it has computed before.

    Returns:
        Tensors ``value:NAME`` (float64), ``cotangent:CASE.OUTPUT`` and ``noise:COMPONENT:NAME`` (float32, RMS deviation per
        element for u = 1), and a manifest with the per-draw statistics that the limits need.

    Raises:
        UnsteadyError: the block computes other values after another block has run.
    """
    exact = copied(inputs, backend.device)
    with CensusMode() as forward:
        first = Run(lambda arguments: backend.call(block, arguments), skeleton, exact, {}, grad=False)
    cotangents: dict[str, Tensors] = {RANDOM: random_cotangents(first.outputs, seed, block.name)}
    if scaled_energy := scaled({n: c.to(backend.device) for n, c in energy.items() if n in first.outputs}):
        cotangents[ENERGY] = scaled_energy
    with CensusMode() as census:
        values = evaluate(backend, block, skeleton, exact, cotangents)
    if converted(backend.module(block), takes_reduced(backend.model)):
        census.present.add("converted")
    draw_of = partial(draws_in, backend, block, skeleton, exact, cotangents)
    moments = _drawn(
        block,
        {n: parts_of(block, backend.module(block), n, tuple(v.shape)).indices for n, v in values.items()},
        values,
        draw_of,
        [c for c in COMPONENTS if c in census.present],
        seed,
        draws,
        apart,
    )
    noise = {n: moment.noise() for n, moment in moments.items()}
    between()
    again = evaluate(backend, block, skeleton, copied(inputs, backend.device), cotangents)
    for called, values_of_call in (("first", first.outputs), ("later", again)):
        if wrong := beyond_noise(values, values_of_call, noise):
            raise UnsteadyError(block.name, f"{block.name} computes other float64 values in a {called} call: {wrong}; nothing can be judged by them")
    tensors: Tensors = {f"value:{n}": v for n, v in values.items()}
    for case, by_output in cotangents.items():
        tensors.update({f"cotangent:{case}.{n}": c for n, c in by_output.items()})
    statistics: dict[str, Any] = {}
    for name, moment in moments.items():
        tensors.update({f"noise:{c}:{name}": s for c, s in noise[name].items()})
        statistics[name] = moment.statistics(census.terms)
    stored = [*exact.values(), *(tensors_of(module) if (module := backend.module(block)) is not None else [])]
    held = max((largest(t) for t in stored), default=0.0)
    peaks = {"forward": max(held, forward.peak), "backward": max(held, census.peak, *map(largest, values.values()))}
    manifest = {"statistics": statistics, "operations": census.operations, "peaks": peaks}
    return tensors, manifest


NOTHING_LEFT = 2.0**-40
"""Share of its noise for u = 1, which is of the size of what was added up, below which a number is what terms that cancel have left: they hold 53
bits, one format's own 24."""


def cancelled(value: torch.Tensor, noise: Mapping[Component, torch.Tensor]) -> bool:
    """Whether symmetry makes any number of a quantity vanish: next to nothing is left of terms whose sum rounds.

    Equal terms need not be many for that: an atom alone in its cell has each neighbour twice, in opposite directions.

    Args:
        value: float64. noise: by component, see :meth:`mpcheck.reference.moments.Moments.noise`; that of underflow does not count, which goes by
            no term's size.
    """
    sizes = [size for component, size in noise.items() if component != "underflow"]
    return any(bool(((value.abs() <= NOTHING_LEFT * size) & (size > 0)).any()) for size in sizes)


def _drawn(
    block: Block, parts: Mapping[str, Sequence[Any]], values: Tensors, draw_of: Callable[[Component, bool], Draw], present: Sequence[Component],
    seed: int, draws: int, apart: bool,
) -> dict[str, Moments]:  # fmt: skip
    """Deviations of every value by component; where rows repeat or cancel, the larger ones of rows that round alike and of rows that round apart."""
    moments = {n: Moments(v, parts[n]) for n, v in values.items()}
    kinds = sum(moment.distinct for moment in moments.values())
    whole = block.kind == "composite"

    def draw(component: Component, way: bool, kept: Mapping[str, Moments]) -> None:
        seeds = [seed_of(seed, block.name, component, number) for number in range(draws_of(component, draws, kinds, whole))]
        for name, deviation in deviations(draw_of(component, way), values, seeds, eta_of(component)):
            kept[name].add(component, deviation)

    for component in present:
        draw(component, apart, moments)
    if apart or not whole:
        return moments
    few = 2 * kinds < sum(v.numel() for v in values.values())
    if not (few or any(cancelled(values[n], moment.noise()) for n, moment in moments.items())):
        return moments
    unlike = {n: Moments(v, parts[n]) for n, v in values.items()}
    for component in (c for c in present if c in BY_PLACE):
        draw(component, True, unlike)
    for name, moment in unlike.items():
        moments[name].widened_by(moment)
    return moments


def draws_in(
    backend: E3nnModel,
    block: Block,
    skeleton: Any,
    inputs: Tensors,
    cotangents: Mapping[str, Tensors],
    component: Component,
    apart: bool = False,
) -> Draw:
    """Monte Carlo draws of one component of a block's noise: its values by seed."""
    module = backend.module(block)
    # Energies are what users read. Equal atomic energies that are added one after another err by n u / 2, which a model of rounding
    # excuses and its users do not: that sum is judged as if its terms differed.
    apart = apart or step_kind(block.name) == ENERGY_SUM

    def stored(seed: int) -> Mapping[str, torch.Tensor]:  # what is stored rounds to the format's subnormal numbers as well
        perturbed = perturb if component == "stored" else perturb_absolute
        noisy = {n: perturbed(t, seed) for n, t in inputs.items()}
        directions = {case: {n: perturbed(c, seed) for n, c in outs.items()} for case, outs in cotangents.items()}
        return disturbed(lambda: evaluate(backend, block, skeleton, noisy, directions), component, module, apart)(seed)

    def through_the_converter(seed: int) -> Tensors:
        assert module is not None  # only modules have parameters
        with converted_perturbed(module, lambda t: perturb(t, seed)):
            return evaluate(backend, block, skeleton, inputs, cotangents)

    if component in ("stored", "underflow"):
        return stored
    if component == "converted":
        return through_the_converter
    return disturbed(lambda: evaluate(backend, block, skeleton, inputs, cotangents), component, apart=apart)
