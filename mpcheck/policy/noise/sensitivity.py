"""How much the energy, the forces and the stress of a model move when one of its blocks rounds: what the error of any policy follows from.

Every block, step, and what lies between them is disturbed alone (:mod:`mpcheck.policy.noise.disturbance`) with noise equivalent to a unit roundoff of
one, a few draws of each part. What is stored, and what a block computes in 16 bits, is rounded alike in every run: one evaluation each in float64
gives a signed deviation. Together these are at most twelve energy-and-force calls for each subject.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch

from mpcheck._text import duration
from mpcheck.formats import F32, NARROW, Storage
from mpcheck.policy.noise import known_rounding
from mpcheck.policy.noise.calls import Calls, Response
from mpcheck.policy.noise.disturbance import DRAWS, Part, treatment
from mpcheck.policy.noise.isolation import Treatment
from mpcheck.policy.noise.rounding import in_16_bits
from mpcheck.policy.noise.subjects import Subject, census
from mpcheck.reference.noise import ETA, seed_of

COORDINATES = "coordinates"
CELL = "cell"
"""Multiplied with whole numbers of periods by a matrix product, whose operands tf32 and autocast round."""
WEIGHTS = "weights"
"""All of a model's, in float32: a hundredth of anything that a policy lowers, and one call."""
MOST = 12
"""Calls for each subject: three parts of four draws."""


@dataclass(frozen=True)
class Sensitivity:
    """Of one model on one batch of structures.

    Attributes:
        subjects: by name, in the model's order. values: undisturbed. batch, elements: structure of each atom, and its element.
        noise: by subject and part, mean square deviations for u = 1. emulated: by leaf and 16-bit type, signed deviations where all in it is rounded
            to that. known: by subject (or one of this module's names) and storage type, signed deviations where what is stored is; none where no bit
            changes.
        summed: whether the total is the sum of the atoms' energies. calls: energy-and-force calls that it took.
    """

    subjects: dict[str, Subject]
    values: Response
    batch: torch.Tensor
    elements: torch.Tensor
    noise: dict[tuple[str, Part], Response]
    emulated: dict[tuple[str, Storage], Response]
    known: dict[tuple[str, Storage], Response]
    summed: bool
    calls: int


def sensitivity(calls: Calls, seed: int = 0, progress: Callable[[str], None] = lambda _: None) -> Sensitivity:
    """Of a float64 model on a batch.

    Args:
        progress: takes lines: what it will cost, and how far it is.

    Raises:
        BaseException: whatever the model raises.
    """
    isolation, graph = calls.isolation, calls.graph
    subjects = census(isolation, graph, calls.device)
    calls.isolated |= {s.name for s in subjects.values() if s.peak > 0 and s.peak_apart == 0}
    work = [(s.name, part) for s in subjects.values() for part in s.parts]
    stored, narrow = dict(_stored(calls)), dict(_narrow(calls))
    total = sum(DRAWS[part] for _, part in work) + len(stored) + len(narrow) + 2 * len(known_rounding.PLAIN)
    once = _seconds(lambda: calls.deviation({}))
    progress(f"sensitivities: {total} energy-and-force calls of {once:.2f} s, about {duration(total * once)}")
    known = {key: calls.deviation(treated) for key, treated in stored.items()}
    for storage in known_rounding.PLAIN:
        rounded = known_rounding.coordinates(graph, getattr(torch, storage))
        known[COORDINATES, storage] = calls.deviation({}, graph=rounded)
        known[CELL, storage] = calls.deviation({}, graph={**graph, "cell": rounded["cell"]})
    progress("sensitivities: blocks in 16 bits")
    emulated = {key: calls.deviation(treated) for key, treated in narrow.items()}
    noise: dict[tuple[str, Part], Response] = {}
    for index, (name, part) in enumerate(work):
        progress(f"sensitivities: {name}, {part} ({index + 1} of {len(work)})")
        module = isolation.model.get_submodule(name) if subjects[name].kind == "leaf" else None
        seeds = [seed_of(seed, name, part, draw) for draw in range(DRAWS[part])]
        drawn = [calls.deviation({name: treatment(part, own, module)}) for own in seeds]
        noise[name, part] = {n: torch.stack([d[n] for d in drawn]).div(ETA).square().mean(0) for n in drawn[0]}
    batch, elements = graph["batch"].cpu(), graph["node_attrs"].argmax(-1).cpu()
    return Sensitivity(subjects, calls.plain, batch, elements, noise, emulated, known, calls.summed, calls.count)


def _stored(calls: Calls) -> Iterator[tuple[tuple[str, Storage], dict[str, Treatment]]]:
    """Storage types that change bits of stored numbers, block by block."""
    leaves = {name: calls.isolation.model.get_submodule(name) for name in calls.isolation.leaves}
    for storage in known_rounding.WEIGHTED:
        for name, module in leaves.items():
            if changed := known_rounding.change(module, storage):
                yield (name, storage), {name: Treatment(weights=changed)}
    changes = {name: known_rounding.change(module, F32) for name, module in leaves.items()}
    if single := {name: Treatment(weights=changed) for name, changed in changes.items() if changed}:
        yield (WEIGHTS, F32), single


def _narrow(calls: Calls) -> Iterator[tuple[tuple[str, Storage], dict[str, Treatment]]]:
    """Every leaf in 16 bits."""
    for storage in NARROW:
        for name in calls.isolation.leaves:
            yield (name, storage), {name: in_16_bits(calls.isolation.model.get_submodule(name), storage, True, torch.device(calls.device).type)}


def _seconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began
