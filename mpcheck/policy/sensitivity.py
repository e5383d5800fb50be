"""How much the energy, the forces and the stress of a model move when one of its blocks rounds: what the error of any policy follows from.

Every block, step, and what lies between them is disturbed alone (:mod:`mpcheck.policy.disturbance`) with noise equivalent to a unit roundoff of
one, up to four draws of each part. The rounding of stored weights and coordinates is no accident but known: one evaluation of each in float64 gives
a signed deviation. Together these are at most twelve energy-and-force calls for each subject.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch

from mpcheck.adapters.backends.casting import replaced, tensors_of
from mpcheck.adapters.blocks import describe
from mpcheck.adapters.steps import ENERGY_SUM, step_block, step_kind
from mpcheck.policy import known_rounding
from mpcheck.policy.disturbance import DRAWS, Part, parts_of, treatment
from mpcheck.policy.energies import sums_up
from mpcheck.policy.evaluation import Evaluation, evaluate
from mpcheck.policy.isolation import BETWEEN, Isolation, Treatment
from mpcheck.policy.rules import NARROW, Storage
from mpcheck.reference.emulation import SingleRounding
from mpcheck.reference.noise import ETA, CensusMode, largest, seed_of

COORDINATES = "coordinates"
WEIGHTS = "weights"
"""All of a model's, in float32: a hundredth of anything that a policy lowers, and one call."""
NODES = "nodes"
CELL = "cell"
"""Multiplied with whole numbers of periods by a matrix product, whose operands tf32 and autocast round."""
Tensors = Mapping[str, torch.Tensor]
Response = dict[str, torch.Tensor]
"""Of energy and interaction energy [structures] eV, forces [atoms, 3] eV/Å, stress [structures, 3, 3] eV/Å³: see :class:`Evaluation`."""


@dataclass(frozen=True)
class Subject:
    """One part of a model that rounds by itself.

    Attributes:
        name: of a leaf's module, of a step, or :data:`BETWEEN`. role: in the field's words. kind: leaf, step or between.
        parts: that it has. peak: largest magnitude among its arguments, results and stored numbers.
    """

    name: str
    role: str
    kind: str
    parts: tuple[Part, ...]
    peak: float

    @property
    def adds_energies(self) -> bool:
        """Whether it is the sum of the atoms' energies."""
        return self.kind == "step" and step_kind(self.name) == ENERGY_SUM


@dataclass(frozen=True)
class Sensitivity:
    """Of one model on one batch of structures.

    Attributes:
        subjects: by name, in the model's order. values: undisturbed. batch, elements: structure of each atom, and its element.
        noise: by subject and part, mean square deviations for u = 1. emulated: by leaf and 16-bit type, signed
            deviations where everything in the leaf is rounded to it. known: by subject (or :data:`COORDINATES`, :data:`CELL`) and storage type, signed
            deviations where what is stored is; none where no bit changes. WEIGHTS are there in float32 alone.
        summed: whether the total is the sum of the atoms' energies, which can be taken outside the model. energies: the subject that holds energies of
            isolated atoms, "" for none. calls: energy-and-force calls that it took.
    """

    subjects: dict[str, Subject]
    values: Response
    batch: torch.Tensor
    elements: torch.Tensor
    noise: dict[tuple[str, Part], Response]
    emulated: dict[tuple[str, Storage], Response]
    known: dict[tuple[str, Storage], Response]
    summed: bool
    energies: str
    calls: int


class Calls:
    """Energy-and-force calls of one model on one batch, as deviations from its undisturbed values."""

    def __init__(self, isolation: Isolation, graph: Tensors, device: torch.device | str) -> None:
        self.isolation, self.graph, self.device = isolation, graph, device
        self.count = 0
        self.energies = next((n for n in isolation.leaves if _role(isolation, n) == "atomic energies"), None)
        self.plain = self._values(graph)
        self.apart = self._values(graph, without=True)

    def _evaluate(self, graph: Tensors) -> Evaluation:
        self.count += 1
        return evaluate(self.isolation.model, graph, self.device)

    def _values(self, graph: Tensors, without: bool = False) -> Response:
        """Those of a model, or with energies of isolated atoms at zero."""
        zeroed = self.isolation.model.get_submodule(self.energies) if without and self.energies else None
        with replaced(zeroed, torch.zeros_like):
            found = self._evaluate(graph)
            return {**found.values(), NODES: found.nodes}

    def deviation(self, treatments: Mapping[str, Treatment], graph: Tensors | None = None) -> Response:
        """How far the values move."""

        def moved(without: bool) -> Response:
            before = self.apart if without else self.plain
            with self.isolation.treated(treatments):
                values = self._values(self.graph if graph is None else graph, without)
            return {n: v - before[n] for n, v in values.items()}

        found = moved(False)
        if bool(self.plain["interaction"].isnan().any()):  # a class that does not tell: what remains where isolated atoms have no energy
            touched = any(name in (BETWEEN, self.energies) or step_kind(name) == ENERGY_SUM for name in treatments)
            found["interaction"] = (moved(True) if touched else found)["energy"]
        return found


def sensitivity(
    model: torch.nn.Module,
    graph: Tensors,
    source: torch.nn.Module | None = None,
    device: torch.device | str = "cpu",
    seed: int = 0,
    progress: Callable[[str], None] = lambda _: None,
) -> Sensitivity:
    """Of a float64 model.

    Args:
        model: upstream's or a backend's, on the device; afterwards as before. graph: see :func:`mpcheck.adapters.graph.make_graph`.
        source: the e3nn model that a backend's was made from. progress: takes lines: what it will cost, and how far it is.

    Raises:
        BaseException: whatever the model raises.
    """
    isolation = Isolation(model, source)
    calls = Calls(isolation, graph, device)
    subjects = census(isolation, graph, device, source)
    work = [(s.name, part) for s in subjects.values() for part in s.parts]
    kept = dict(_stored(isolation))
    emulations = dict(_emulations(isolation))
    total = sum(DRAWS[part] for _, part in work) + len(kept) + len(emulations) + 2 * len(known_rounding.PLAIN)
    once = _seconds(lambda: evaluate(model, graph, device))
    progress(f"sensitivities: {total} energy-and-force calls of {once:.2f} s, about {_duration(total * once)}")
    known = {(name, storage): calls.deviation(treated) for (name, storage), treated in kept.items()}
    for storage in known_rounding.PLAIN:
        rounded = known_rounding.coordinates(graph, getattr(torch, storage))
        known[COORDINATES, storage] = calls.deviation({}, graph=rounded)
        known[CELL, storage] = calls.deviation({}, graph={**graph, "cell": rounded["cell"]})
    emulated = {(name, storage): calls.deviation(treated) for (name, storage), treated in emulations.items()}
    noise: dict[tuple[str, Part], Response] = {}
    for index, (name, part) in enumerate(work):
        progress(f"sensitivities: {name}, {part} ({index + 1} of {len(work)})")
        module = model.get_submodule(name) if subjects[name].kind == "leaf" else None
        seeds = [seed_of(seed, name, part, draw) for draw in range(DRAWS[part])]
        drawn = [calls.deviation({name: treatment(part, own, module)}) for own in seeds]
        noise[name, part] = {n: torch.stack([d[n] for d in drawn]).div(ETA).square().mean(0) for n in drawn[0]}
    batch, elements = graph["batch"].cpu(), graph["node_attrs"].argmax(-1).cpu()
    return Sensitivity(subjects, calls.plain, batch, elements, noise, emulated, known, sums_up(source or model), calls.energies or "", calls.count)


def census(isolation: Isolation, graph: Tensors, device: torch.device | str, source: torch.nn.Module | None = None) -> dict[str, Subject]:
    """Subjects of a model, found by one evaluation."""
    with isolation.treated({}):
        evaluate(isolation.model, graph, device)  # names the steps
    modes = {name: CensusMode() for name in isolation.subjects}
    with isolation.treated({name: Treatment(mode=lambda mode=mode: mode) for name, mode in modes.items()}):  # type: ignore[misc]  # bound
        evaluate(isolation.model, graph, device)
    found = {}
    for name, mode in modes.items():
        kind = "leaf" if name in isolation.leaves else "between" if name == BETWEEN else "step"
        role = _role(isolation, name, source) if kind == "leaf" else step_block(name).role if kind == "step" else name
        stored = tensors_of(isolation.model.get_submodule(name)) if kind == "leaf" else []
        peak = max([mode.peak, *map(largest, stored)])
        found[name] = Subject(name, role, kind, parts_of(mode.present, kind == "leaf"), peak)
    return found


def _role(isolation: Isolation, name: str, source: torch.nn.Module | None = None) -> str:
    return describe(name, (source or isolation.model).get_submodule(name), "leaf").role


def _stored(isolation: Isolation) -> Iterator[tuple[tuple[str, Storage], dict[str, Treatment]]]:
    """Storage types that change bits of stored numbers, block by block."""
    leaves = {name: isolation.model.get_submodule(name) for name in isolation.leaves}
    for storage in known_rounding.WEIGHTED:
        for name, module in leaves.items():
            if changed := known_rounding.change(module, storage):
                yield (name, storage), {name: Treatment(weights=changed)}
    changes = {name: known_rounding.change(module, "float32") for name, module in leaves.items()}
    if single := {name: Treatment(weights=changed) for name, changed in changes.items() if changed}:
        yield (WEIGHTS, "float32"), single


def _emulations(isolation: Isolation) -> Iterator[tuple[tuple[str, Storage], dict[str, Treatment]]]:
    """Every leaf in 16 bits: what it is given, what it stores, and each result rounded once."""
    for storage in NARROW:
        dtype: torch.dtype = getattr(torch, storage)

        def once(t: torch.Tensor, dtype: torch.dtype = dtype) -> torch.Tensor:
            return t.to(dtype).to(t.dtype) if t.is_floating_point() else t

        for name in isolation.leaves:
            yield (name, storage), {name: Treatment(mode=lambda dtype=dtype: SingleRounding(dtype), given=once, weights=once)}  # type: ignore[misc]


def _seconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} minutes"
