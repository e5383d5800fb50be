"""Symmetry of the whole model: energies are invariant, forces and stresses turn with the structure."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch

from mpcheck.adapters.backends.casting import replaced
from mpcheck.adapters.backends.protocol import BackendModel
from mpcheck.adapters.blocks import WHOLE
from mpcheck.adapters.execution import Tensors
from mpcheck.adapters.facts.couplings import repaired
from mpcheck.adapters.facts.rotation import Turn
from mpcheck.checks.symmetry.deviation import U64, Deviation, Noise, deviations, noise_of
from mpcheck.checks.symmetry.group import Element, Shift, Shuffle, Wrap
from mpcheck.checks.symmetry.moved import SLOTS, Whole, has_stress, properties
from mpcheck.formats import COMPONENTS, Format
from mpcheck.judge.context import Context
from mpcheck.judge.replay import arithmetic
from mpcheck.judge.tolerances import RatioLimits
from mpcheck.reference.deviation import deviations as deviations_of
from mpcheck.reference.deviation import disturbed
from mpcheck.reference.moments import Moments
from mpcheck.reference.noise import CensusMode, eta_of, perturb, seed_of

AWRY = Turn((0.81, 0.32, -0.41, 0.27))  # along no axis of any crystal
GEOMETRY = ("positions", "shifts", "cell")
DRAWS = 4  # of each component; the whole model's sums average over many blocks' roundings


def draw_noise(module: torch.nn.Module, graph: Tensors, stress: bool, seed: int) -> tuple[Tensors, dict[str, Any]]:
    """Float64 values, the noise scale of each component for u = 1, and what exact coupling tables change: a store's entry."""
    with CensusMode() as census:
        values = properties(module, graph, stress)
    # A crystal's forces are zero because equal numbers err alike and cancel, and coordinates on its planes are zeros, which do not round:
    # of the turned crystal neither is so. Where its noise is the larger, that is the noise of both.
    turned = {n: AWRY.vectors(t) if n in GEOMETRY else t for n, t in graph.items()}
    drawn, unlike = ({n: Moments(v) for n, v in own.items()} for own in (values, properties(module, turned, stress)))

    def stored(of: Tensors, apart: bool, key: int) -> Mapping[str, torch.Tensor]:
        noisy = {n: perturb(t, key, apart) for n, t in of.items()}
        return disturbed(lambda: properties(module, noisy, stress), "stored", module, apart)(key)

    for component in COMPONENTS:
        if component in ("underflow", "converted"):
            continue  # below the normal range nothing of a whole model matters; the converter's map is exact to its roundings
        seeds = [seed_of("symmetry", seed, component, number) for number in range(DRAWS)]
        for apart, of, kept in ((False, graph, drawn), (True, turned, unlike)):
            whole = disturbed(partial(properties, module, of, stress), component, apart=apart)
            draw = partial(stored, of, apart) if component == "stored" else whole
            for name, deviation in deviations_of(draw, {n: m.value for n, m in kept.items()}, seeds, eta_of(component)):
                kept[name].add(component, deviation)
    for name, moments in drawn.items():
        moments.widened_by(unlike[name])
    with replaced(module, repaired):
        exact = properties(module, graph, stress)
    tensors = {f"value:{n}": v for n, v in values.items()} | {f"tables:{n}": (exact[n] - v).square() for n, v in values.items()}
    tensors |= {f"noise:{c}:{n}": s for n, m in drawn.items() for c, s in m.noise().items()}
    return tensors, {"statistics": {n: m.statistics() for n, m in drawn.items()}, "peak": census.peak}


def learned(context: Context, system: str) -> tuple[Tensors, dict[str, Any]]:
    """Noise scale of the whole model on a system, from the store of references or drawn into it."""
    library, reference = context.library(system), context.reference_backend
    graph = {n: t.to(reference.device) for n, t in context.graph(system).items()}

    def build() -> None:
        library.progress("noise scale of the whole model")
        stress = has_stress(context.systems[system].frames)
        library.store.save("model.symmetry.turned", *draw_noise(reference.model, graph, stress, library.spec.seed))

    tensors, manifest = library.store.fetch("model.symmetry.turned", build)
    return {n: t.to(reference.device) for n, t in tensors.items()}, manifest


class WholeSubject:
    """The whole model on one backend in one format, ready to be compared under any element."""

    def __init__(self, whole: Whole, backend: BackendModel, fmt: Format, limits: RatioLimits, noise: tuple[Tensors, dict[str, Any]]) -> None:
        """Inside ``backend.prepared``; ``noise`` from :func:`learned`."""
        self.whole, self.backend, self.fmt, self.limits = whole, backend, fmt, limits
        self.stress, self.note = has_stress(whole.frames), "" if whole.mirrored else "without inversion: the model is built with use_so3"
        graph = whole.context.graph(whole.system)
        try:
            self.outputs = self.run(graph)
        except NotImplementedError as error:
            if not self.stress:
                raise
            self.stress = False
            self.note = "; ".join(filter(None, (self.note, f"without stress: {str(error).splitlines()[-1].strip()}")))
            self.outputs = self.run(graph)
        tensors, statistics = noise[0], noise[1]["statistics"]
        # a component of a rotated force or stress can be as large as its norm
        self.peak = max(float(tensors[f"value:{n}"].abs().max()) * (1.0 if n == "energy" else 3.0**0.5) for n in self.outputs)
        if not all(bool(t.isfinite().all()) for t in self.outputs.values()):  # what overflows on the way and is gone after it is no fault
            self.peak = max(self.peak, noise[1]["peak"])
        roundoff = backend.roundoff(WHOLE, fmt)
        self.noise: dict[str, Noise] = {}
        for name in self.outputs:
            own: dict[str, torch.Tensor] = {c: tensors[f"noise:{c}:{name}"] for c in COMPONENTS if f"noise:{c}:{name}" in tensors}
            self.noise[name] = noise_of(own, statistics[name], roundoff, tensors[f"value:{name}"], tensors[f"tables:{name}"])

    def run(self, graph: Tensors) -> Tensors:
        """Energy, forces and stress as the format computes them."""
        low = {n: t.to(self.backend.device, self.fmt.storage if t.is_floating_point() else None) for n, t in graph.items()}
        module = self.backend.module(WHOLE)
        assert module is not None  # the whole model is one
        with arithmetic(self.fmt, self.backend.device):
            return properties(module, low, self.stress)

    def expected(self, name: str, value: torch.Tensor, element: Element) -> torch.Tensor:
        """What a property must become."""
        if name == "forces" and isinstance(element, Turn):
            return element.vectors(value)
        if name == "forces" and isinstance(element, Shuffle):
            return value[self.whole.order(element).to(value.device)]
        return element.tensors(value) if name == "stress" and isinstance(element, Turn) else value

    def _square(self, name: str, noise: Noise, element: Element) -> torch.Tensor:
        """Variance of both sides' roundings."""
        value = self.outputs[name]
        if isinstance(element, Shuffle):
            return noise.square + self.expected(name, noise.square, element)
        if not isinstance(element, Turn):
            # the moved positions round in the format and, in float64, when the displacement is made and when it is added
            moved = (self.fmt.roundoff["stored"] ** 2 + 2 * U64**2) * self.whole.roundings(element)[name][0]
            if self.fmt.roundoff["operand"]:
                moved = moved + self.fmt.roundoff["operand"] ** 2 * self.whole.roundings(element)[f"operand:{name}"][0]
            return 2 * noise.square + moved.to(value.device)
        if name != "stress":
            return noise.turned(value, SLOTS[name], 1)
        # R S R^T is two products of the kind that roundings() counts for l = 1, each of 4 units; rotations mix all nine
        total = 2 * noise.square + 4 * noise.tables + 4 * noise.stored + 8 * U64 * U64 / 3 * value.square()
        return total.mean(dim=(1, 2), keepdim=True).expand_as(total)

    def compare(self, element: Element) -> list[Deviation]:
        """Every property under one element."""
        results, rows = self.run(self.whole.graph(element)), list[Deviation]()
        for name, noise in self.noise.items():
            error = results[name] - self.expected(name, self.outputs[name], element)
            spread = 0.0
            if isinstance(element, Shift | Wrap):
                made = self.whole.roundings(element)
                spread = max(made[name][1], made[f"operand:{name}"][1] if self.fmt.roundoff["operand"] else 0.0)
            rows += deviations(element, name, error, self._square(name, noise, element), SLOTS[name], noise.scale, self.limits, spread)
        return rows
