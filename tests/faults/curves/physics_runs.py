"""Plantings in the whole float64 model, by physics that holds without a reference."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from mpcheck.adapters.upstream import mace
from mpcheck.checks.physics.structure import Values, evaluate, measure_noise, quantities, rms
from mpcheck.judge.context import Key
from mpcheck.judge.replay import FORWARD
from mpcheck.records.record import Record
from mpcheck.reference.noise import seed_of
from mpcheck.sessions.run import Session
from tests import inspections
from tests.faults.curves import changes
from tests.faults.curves.records import LARGEST, Planting
from tests.faults.patches.planting import exchanged

Fault = contextlib.AbstractContextManager[None]


def _forces(magnitude: float, seed: int) -> Fault:
    """Forces scaled; all of them, or those of one atom."""

    def change(f: torch.Tensor) -> torch.Tensor:
        return changes.scaled(f, torch.tensor(1 + magnitude)) if seed % 2 else changes.element(f, seed, magnitude)

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> torch.Tensor:
            return change(original(*args, **kwargs))

        return call

    return exchanged(mace.modules.utils, "compute_forces", make)


def _stress(magnitude: float, seed: int) -> Fault:
    """One component of stresses and virials scaled."""
    i, j = divmod(seed % 9, 3)

    def one(t: torch.Tensor) -> torch.Tensor:
        factor = torch.ones(3, 3, dtype=torch.float64)
        factor[i, j] += magnitude
        return changes.scaled(t, factor)

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            forces, virials, stress = original(*args, **kwargs)
            return forces, one(virials), one(stress)

        return call

    return exchanged(mace.modules.utils, "compute_forces_virials", make)


def _offset(magnitude: float, seed: int) -> Fault:
    """Node energies shifted by a share of their RMS, of all atoms or of one; the energy as it was."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def forward(self: Any, data: dict[str, torch.Tensor], *args: Any, **kwargs: Any) -> dict[str, Any]:
            out: dict[str, Any] = original(self, data, *args, **kwargs)
            node = out["node_energy"]
            moved = changes.biased(node, magnitude) if seed % 2 else changes.element(node, seed, magnitude)
            return out | {"node_energy": moved}

        return forward

    return exchanged(mace.modules.models.ScaleShiftMACE, "forward", make)


def _jump(magnitude: float, seed: int) -> Fault:
    """An envelope that ends at the cut-off with a value, not at zero."""
    from mace.modules.radial import PolynomialCutoff

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
            found: torch.Tensor = original(self, x) + magnitude * (x < self.r_max).to(x.dtype)
            return found

        return forward

    return exchanged(PolynomialCutoff, "forward", make)


def _unsteady(magnitude: float, seed: int) -> Fault:
    """Every third call gives energies that are off."""
    calls = [0]

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def forward(self: Any, data: dict[str, torch.Tensor], *args: Any, **kwargs: Any) -> dict[str, Any]:
            out: dict[str, Any] = original(self, data, *args, **kwargs)
            calls[0] += 1
            factor = torch.tensor(1 + magnitude * (calls[0] % 3 == 0), dtype=torch.float64)
            return out | {"energy": changes.scaled(out["energy"], factor)}

        return forward

    return exchanged(mace.modules.models.ScaleShiftMACE, "forward", make)


@dataclass(frozen=True)
class Property:
    """A property of physics and the fault that it is to see.

    Attributes:
        plant: by magnitude and seed; smallest: magnitude of the mildest planting, the others follow in half decades.
        moved: the output whose change is the fault's size; resolution: the metric of the sound finding that it is measured in,
            with the variant of that finding; empty for the noise scale of the output itself.
        own: on structures of its own, where the size is the jump, in units of its rounding, that the check itself measures.
    """

    plant: Callable[[float, int], Fault]
    smallest: float
    moved: str
    resolution: tuple[str, str] = ("", "")
    own: bool = False


# the mildest magnitudes lie a decade or two below what each property resolves on water; twelve half decades follow
PROPERTIES = {
    "finite-difference": Property(_forces, 1e-11, "forces", ("", "allowed_eV_per_A")),
    "stress": Property(_stress, 1e-10, "stress", ("periodic", "allowed_eV_per_A3")),
    "node-energies": Property(_offset, 1e-17, "closure"),
    "smoothness": Property(_jump, 1e-17, "", own=True),
    "repeat": Property(_unsteady, 1e-17, "energy"),
}
HALF_DECADES = 12


@dataclass(frozen=True)
class PropertyItem:
    """One planting in the whole model."""

    name: str
    backend: str
    magnitude: float
    seed: int


def property_items(backends: tuple[str, ...], seeds: int, thinning: int) -> list[PropertyItem]:
    """Every property at every magnitude; with several seeds where a fault has several places to be."""
    found = []
    for name, entry in PROPERTIES.items():
        for number, backend in enumerate(backends):
            # the twin's derivatives take three times as long: one place, not several
            for seed in range(seeds if number == 0 else 1):
                steps = [k for k in range(HALF_DECADES + 1) if (k + seed) % thinning == 0]
                found += [PropertyItem(name, backend, entry.smallest * 10 ** (k / 2), seed) for k in steps]
    return found


class PropertyRuns:
    """Physics of one system, with and without faults."""

    def __init__(self, session: Session, system: str) -> None:
        self.session, self.system = session, system
        self.known: dict[tuple[str, str], list[Record]] = {}
        self._noise: Values = {}

    def findings(self, name: str, backend: str) -> list[Record]:
        """What the audit session says of one property now."""
        system = "" if PROPERTIES[name].own else self.system
        return inspections.run("audit", self.session, Key("physics", name, backend, "", system))

    def sound(self, name: str, backend: str) -> list[Record]:
        """The same of upstream as it is, once."""
        if (name, backend) not in self.known:
            self.known[name, backend] = self.findings(name, backend)
        return self.known[name, backend]

    def _outputs(self, backend: str) -> Values:
        twin, graph = self.session.backend(backend), self.session.graph(self.system)
        out = evaluate(twin.model, graph)  # type: ignore[union-attr]
        stress = evaluate(twin.model, graph, compute_stress=True)["stress"]  # type: ignore[union-attr]
        return quantities(out, graph) | {"stress": stress}

    def _scale(self, item: PropertyItem) -> float:
        entry = PROPERTIES[item.name]
        variant, metric = entry.resolution
        if metric:
            return float(next(f for f in self.sound(item.name, item.backend) if f.variant == variant).figures[metric])  # type: ignore[arg-type]
        if not self._noise:
            seed = seed_of("property curves", self.session.seed)
            self._noise = measure_noise(self.session.reference_backend.model, self.session.graph(self.system), seed)
        return rms(self._noise[entry.moved])

    def run(self, item: PropertyItem) -> Planting:
        """One planting."""
        entry = PROPERTIES[item.name]
        self.sound(item.name, item.backend)  # noise scales are learnt without a fault, and kept
        before = {} if entry.own else self._outputs(item.backend)
        with entry.plant(item.magnitude, item.seed):
            found = self.findings(item.name, item.backend)
        if entry.own:
            size = max(LARGEST if f.ratio is None else f.ratio for f in found if f.variant.endswith("jump"))
        else:
            with entry.plant(item.magnitude, item.seed):
                after = [self._outputs(item.backend) for _ in range(3)]
            size = max(rms(a[entry.moved] - before[entry.moved]) for a in after) / self._scale(item)
        red = [f for f in found if f.verdict == "fail"]
        kind = f"physics: {item.name}"
        named = all(f.subject == item.name for f in red)
        return Planting(
            family=item.name, subject=item.name, backend=item.backend, format="float64", direction=FORWARD, magnitude=item.magnitude,
            size=min(size, LARGEST), peak=min(size, LARGEST), asked=[kind], seen=[kind] if red else [], named=named,
        )  # fmt: skip
