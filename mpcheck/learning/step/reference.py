"""The float64 step of a model on a system, and the noise scale of everything in it; kept like references of blocks."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import torch

from mpcheck.adapters.backends.casting import replaced
from mpcheck.adapters.learning.taking import STATES, Settings
from mpcheck.formats import Component
from mpcheck.learning.step import WARM
from mpcheck.learning.step.adam import State, fresh, stepped
from mpcheck.learning.step.labels import disturbed_labels, own_values
from mpcheck.learning.step.names import AMP, MASTERS, STORED
from mpcheck.learning.step.narrow import lowered
from mpcheck.learning.step.noise import MARKER, AutocastNoise, MarkedNoise, OperandNoise
from mpcheck.learning.step.parametrisation import KINDS, Kind, in_kind
from mpcheck.learning.step.regimes import Regime
from mpcheck.learning.step.whole import Problem, Tensors, loss_and_gradients, trained, values_of, with_digests
from mpcheck.reference.emulation import SingleRounding
from mpcheck.reference.moments import Moments
from mpcheck.reference.noise import ETA, perturb, seed_of
from mpcheck.reference.store import Store
from mpcheck.reference.whole_noise import WholeNoise

ENTRY = "optimisation-step"
DRAWS, COARSE_DRAWS = 6, 12
"""Of each component, as of blocks; of what is coarse, where a few roundings of energies and forces move every gradient together."""
ROUNDING: Component = "operation"
NARROWING: Component = "operand"
"""Components of a step's noise, under names that a block's have: all that rounds alike, with what is stored, drawn at float32's roundoff; what is
rounded more coarsely, drawn at the size of its own roundoff."""
MOST_SCALE = 65536.0
"""What torch's own loss scale begins with."""
ROOM = 4.0
"""Powers of the largest cotangent are kept below the format's largest number by this factor."""


@dataclass(frozen=True)
class StepReference:
    """What a step is judged by, and what it is given.

    Attributes:
        values: float64, by name, see :func:`mpcheck.learning.step.whole.values_of`. noise: by name, then by component, RMS deviation for u = 1.
        statistics: by name, see :class:`mpcheck.reference.moments.Moments`.
        single: by name, what float32 makes of the values, each operation rounded once, emulated. rounded: what a regime's own coarser rounding makes
            of them; empty where there is none.
        labels, state: what the step is given. scale: of the loss. peaks: largest magnitude in 16 bits, forward and backward, unscaled.
        max_norm: that the gradient is clipped to.
        lost: quantities that sound arithmetic in the regime makes no numbers of, as a square below float16's range that is divided by.
    """

    values: Tensors
    noise: dict[str, dict[Component, torch.Tensor]]
    statistics: dict[str, Any]
    single: Tensors
    rounded: Tensors
    labels: Tensors
    state: dict[Kind, State]
    scale: float = 1.0
    peaks: Mapping[str, float] | None = None
    lost: frozenset[str] = frozenset()
    max_norm: float = Settings.max_norm


class StepLibrary:
    """The step of one model on one system, in float64 and with the noise of each regime."""

    def __init__(
        self, model: torch.nn.Module, graph: Tensors, settings: Settings, seed: int, store: Store, progress: Callable[[str], None] = lambda _: None
    ) -> None:
        """Args:
        model: float64 e3nn. graph: on its device. store: where references are kept.
        """
        self.model, self.graph, self.settings, self.seed, self.store, self.progress = model, graph, settings, seed, store, progress
        self._held: dict[str, StepReference] = {}

    def plain(self) -> StepReference:
        """Values, and the noise of everything that rounds alike."""
        return self._fetched(ENTRY, self._plain)

    def of(self, regime: Regime, rearranged: bool = False) -> StepReference:
        """With the noise of what a regime rounds more coarsely.

        Args:
            rearranged: the backend computes by other operations than the reference, so that whatever it holds may be an operand of a product.
        """
        plain = self.plain()
        if not regime.coarse:
            return plain
        rearranged = rearranged and not regime.lowers
        entry = f"{ENTRY}-{regime.name}" + ("-rearranged" if rearranged else "")
        own = self._fetched(entry, lambda: self._coarse(regime, plain, rearranged))
        noise = {n: {**by, **own.noise.get(n, {})} for n, by in plain.noise.items()}
        statistics = {n: _joined(s, own.statistics.get(n)) for n, s in plain.statistics.items()}
        return StepReference(
            plain.values, noise, statistics, plain.single, own.rounded, plain.labels, plain.state, own.scale, own.peaks, own.lost, plain.max_norm
        )

    def problem(self, reference: StepReference) -> Problem:
        """The step that a reference is of."""
        return Problem(self.model, self.graph, reference.labels, self.settings_of(reference), reference.state, WARM)

    def settings_of(self, reference: StepReference) -> Settings:
        """What the step of a reference is taken with."""
        return replace(self.settings, max_norm=reference.max_norm)

    def _fetched(self, entry: str, build: Callable[[], tuple[Tensors, dict[str, Any]]]) -> StepReference:
        if entry not in self._held:

            def save() -> None:
                tensors, manifest = build()
                self.store.save(entry, tensors, manifest)

            tensors, manifest = self.store.fetch(entry, save)
            self._held[entry] = _read({n: t.to(self.graph["positions"].device) for n, t in tensors.items()}, manifest)
        return self._held[entry]

    def _plain(self) -> tuple[Tensors, dict[str, Any]]:
        self.progress("float64 reference of a training step")
        own = own_values(self.model, self.graph, self.settings.strained)
        given = [disturbed_labels(own, self.graph, self.seed, number) for number in range(WARM + 1)]
        _, gradients = loss_and_gradients(Problem(self.model, self.graph, given[0], self.settings, {}, WARM))
        settings = replace(self.settings, max_norm=clipping(gradients.values(), self.settings.max_norm))
        state = self._warmed(given[1:], settings)
        problem = Problem(self.model, self.graph, given[0], settings, state, WARM)
        values = with_digests(values_of(problem))
        moments = {n: Moments(v) for n, v in values.items()}
        turns = itertools.cycle((False, True))
        for seed in self._seeds():
            apart = next(turns)
            drawn = self._under(problem, WholeNoise(seed, apart), lambda t, seed=seed, apart=apart: perturb(t, seed, apart))  # type: ignore[misc]
            _add(moments, values, drawn, ROUNDING, ETA)
        single = self._under(problem, SingleRounding(torch.float32), lambda t: t.to(torch.float32).to(t.dtype) if t.is_floating_point() else t)
        labels = {f"label:{n}": t for n, t in given[0].items()}
        states = {f"state:{kind}:{name}:{n}": t for kind, by in state.items() for name, own in by.items() for n, t in own.items()}
        once = {f"single:{n}": t for n, t in single.items()}
        return _saved(values, moments) | once | labels | states, {
            "statistics": {n: m.statistics() for n, m in moments.items()},
            "max_norm": settings.max_norm,
        }

    def _under(self, problem: Problem, mode: Any, stored: Callable[[torch.Tensor], torch.Tensor]) -> Tensors:
        """Values under a mode, of a model and a problem of which everything that is stored is what ``stored`` makes of it."""
        with replaced(self.model, stored), mode:
            values = values_of(problem.perturbed(stored))
        return with_digests(values)

    def _warmed(self, labels: Sequence[Tensors], settings: Settings) -> dict[Kind, State]:
        """The optimiser's state after some gradients by a learning rate of zero, in each parametrisation."""
        weights = {n: p.detach() for n, p in trained(self.model).items()}
        parameters = {kind: in_kind(kind, self.model, weights, gradients=False) for kind in KINDS}
        states: dict[Kind, State] = {kind: fresh(own) for kind, own in parameters.items()}
        for number, given in enumerate(labels):
            _, gradients = loss_and_gradients(Problem(self.model, self.graph, given, settings, {}, number))
            for kind in KINDS:
                own = in_kind(kind, self.model, gradients, gradients=True)
                made = stepped(settings, parameters[kind], own, states[kind], number)
                states[kind] = {name: {**states[kind][name], **made.state[name]} for name in STATES}
        return states

    def _coarse(self, regime: Regime, plain: StepReference, rearranged: bool) -> tuple[Tensors, dict[str, Any]]:
        self.progress(f"noise of a training step by {regime.name}")
        narrow = lowered(self.model, self.model, torch.float64, MARKER, stored=regime.kind == STORED) if regime.kind in (MASTERS, STORED) else None
        problem, values = self.problem(plain), plain.values

        def under(mode: Any, scale: float) -> Tensors:
            with mode:
                found = values_of(problem, narrow, scale, mode)
            return with_digests(found)

        def mode(seed: int | None, apart: bool = False, looking: bool = False) -> Any:
            if not regime.lowers:
                return OperandNoise(seed, regime.format, apart, rearranged)
            return (AutocastNoise if regime.kind == AMP else MarkedNoise)(seed, regime.format, apart, looking)

        looking = mode(None, looking=True)
        if regime.lowers:
            under(looking, 1.0)
        peaks = dict(looking.peaks)
        scale = loss_scale(peaks["backward"], regime.format.largest) if regime.scaled else 1.0
        turns = itertools.cycle((False, True))
        draws = [under(mode(seed, next(turns)), scale) for seed in self._seeds(regime.name, draws=COARSE_DRAWS)]
        rounded = under(mode(None), scale)
        lost = [n for n in values if not all(bool(one[n].isfinite().all()) for one in (*draws, rounded) if n in one)]
        moments = {n: Moments(v) for n, v in values.items() if n not in lost}
        for one in draws:
            _add(moments, values, one, NARROWING, 1.0)
        kept = {n: t for n, t in _saved(values, moments).items() if n.startswith("noise:")}
        return kept | {f"rounded:{n}": t for n, t in rounded.items() if n in moments}, {
            "statistics": {n: m.statistics() for n, m in moments.items()},
            "scale": scale,
            "peaks": peaks,
            "lost": lost,
        }

    def _seeds(self, *key: object, draws: int = DRAWS) -> list[int]:
        return [seed_of(self.seed, ENTRY, *key, number) for number in range(draws)]


def clipping(gradients: Iterable[torch.Tensor], usual: float) -> float:
    """The norm that a gradient is clipped to: upstream's usual one, or where the gradient is not twice as large, a power of two below half of it.

    So clipping is always at work, and judged.
    """
    norm = math.sqrt(sum(float(g.square().sum()) for g in gradients))
    return usual if norm >= 2 * usual or not norm > 0 else 2.0 ** math.floor(math.log2(norm / 2))


def loss_scale(peak: float, largest: float) -> float:
    """The largest power of two, and no more than :data:`MOST_SCALE`, by which a cotangent of that size stays in range; 1 at least."""
    if not peak > 0:
        return MOST_SCALE
    return min(MOST_SCALE, max(1.0, 2.0 ** math.floor(math.log2(largest / ROOM / peak))))


def _add(moments: Mapping[str, Moments], values: Tensors, drawn: Tensors, component: Component, eta: float) -> None:
    for name, moment in moments.items():
        if name in drawn:
            moment.add(component, drawn[name].sub(values[name]).div_(eta))


def _saved(values: Tensors, moments: Mapping[str, Moments]) -> Tensors:
    tensors = {f"value:{n}": v for n, v in values.items()}
    return tensors | {f"noise:{c}:{n}": s for n, m in moments.items() for c, s in m.noise().items()}


def _joined(statistics: Mapping[str, Any], other: Mapping[str, Any] | None) -> dict[str, Any]:
    """Statistics of a quantity with the components that a regime adds."""
    more = {} if other is None else other["components"]
    return {**statistics, "components": {**statistics["components"], **more}}


def _read(tensors: Tensors, manifest: Mapping[str, Any]) -> StepReference:
    values, single, rounded, labels = Tensors(), Tensors(), Tensors(), Tensors()
    noise, state = dict[str, dict[Component, torch.Tensor]](), dict[Kind, State]()
    plain = {"value": values, "single": single, "rounded": rounded, "label": labels}
    for key, tensor in tensors.items():
        what, _, rest = key.partition(":")
        if what in plain:
            plain[what][rest] = tensor
        elif what == "noise":
            component, _, name = rest.partition(":")
            noise.setdefault(name, {})[cast("Component", component)] = tensor
        else:
            kind, name, parameter = rest.split(":", 2)
            state.setdefault(cast("Kind", kind), {}).setdefault(name, {})[parameter] = tensor
    for name in values:
        noise.setdefault(name, {})
    scale, peaks = float(manifest.get("scale", 1.0)), manifest.get("peaks")
    return StepReference(
        values,
        noise,
        dict(manifest["statistics"]),
        single,
        rounded,
        labels,
        state,
        scale,
        peaks,
        frozenset(manifest.get("lost", ())),
        float(manifest.get("max_norm", Settings.max_norm)),
    )


__all__ = ["ENTRY", "StepLibrary", "StepReference", "loss_scale"]
