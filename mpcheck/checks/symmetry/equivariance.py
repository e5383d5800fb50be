"""Equivariance of every block: ``f(g x) = D(g) f(x)``, in every format and on every backend, within the roundings of both sides.

``f(x)`` is computed once per format and shared by all group elements. The variance of the two sides' roundings is twice the
block's own, averaged over the components of each irrep, which rotations mix; the transformation itself rounds in float64.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from mpcheck._names import REFERENCE_BACKEND
from mpcheck._raised import Raised, attempt
from mpcheck._unsupported import Unsupported
from mpcheck.adapters.backends.casting import replaced, tensors_of
from mpcheck.adapters.backends.e3nn import E3nnModel
from mpcheck.adapters.backends.protocol import BackendModel, unsupported
from mpcheck.adapters.blocks import WHOLE
from mpcheck.adapters.execution import Run, Tensors
from mpcheck.adapters.facts.couplings import coupling, repaired, triangles
from mpcheck.adapters.facts.rotation import Turn, highest
from mpcheck.checks.symmetry.action import Action, Structure, perturb_geometry
from mpcheck.checks.symmetry.deviation import U64, Deviation, Noise, deviations, moments, noise_of, summary
from mpcheck.checks.symmetry.group import Element, Shift, Shuffle, Wrap
from mpcheck.checks.symmetry.invariance import undeclared
from mpcheck.checks.symmetry.model_symmetry import WholeSubject, learned
from mpcheck.checks.symmetry.moved import whole_of
from mpcheck.checks.symmetry.sampling import elements
from mpcheck.formats import COMPONENTS, FLOAT64, Format
from mpcheck.judge.context import Context, Inspection, Key
from mpcheck.judge.refusing import raised, refused
from mpcheck.judge.replay import arithmetic
from mpcheck.judge.tolerances import RatioLimits, limits_for
from mpcheck.records.detail import figures
from mpcheck.records.record import Record
from mpcheck.reference.build import build_reference
from mpcheck.reference.deviation import squares
from mpcheck.reference.library import BlockReference
from mpcheck.reference.moments import distinct
from mpcheck.reference.noise import ETA, seed_of
from mpcheck.reference.spec import DRAWS

NAME = "equivariance"
MODEL = "model"
TABLES, TABLE_LIMIT = "coupling tables", 2.0
MODEL_EFFORT = 12  # comparisons of the whole model that shrinking one failure may take
FULL, BRIEF = (6, 6, 2), (1, 2, 1)  # awkward and uniform rotations, others: of a block at float64 on e3nn; everywhere else
MODEL_FULL, MODEL_BRIEF = (2, 2, 1), (0, 1, 0)  # of the whole model
GEOMETRY_DRAWS = 8


@dataclass
class BlockSubject:
    """One block on one backend in one format, ready to be compared under any element."""

    reference: BlockReference
    backend: BackendModel
    fmt: Format
    action: Action
    limits: RatioLimits
    tables: Tensors
    executions: int = 0
    outputs: Tensors = field(default_factory=dict)
    noise: dict[str, Noise] = field(default_factory=dict)
    learnt: dict[Element, dict[str, Noise]] = field(default_factory=dict)
    kinds: dict[str, list[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.outputs = self.run(self.reference.inputs)
        roundoff = self.backend.roundoff(self.reference.block, self.fmt)
        for name, value in self.reference.values.items():
            if name.startswith("out") and value.numel() and name in self.outputs:
                off = self.tables.get(name, torch.zeros_like(value))
                groups = self.reference.block.output_slot(name).groups(tuple(value.shape)) or [("", slice(None))]
                self.kinds[name] = [max(1, distinct(value[..., where] if value.ndim else value)) for _, where in groups]
                self.noise[name] = noise_of(self.reference.noise[name], self.reference.statistics[name], roundoff, value, off)

    def run(self, inputs: Tensors) -> Tensors:
        """The block's results in float64 as the format computed them; inside ``backend.prepared``."""
        self.executions += 1
        low = {n: t.to(self.backend.device, self.fmt.storage if t.is_floating_point() else None) for n, t in inputs.items()}
        with arithmetic(self.fmt, self.backend.device):
            run = Run(lambda arguments: self.backend.call(self.reference.block, arguments), self.reference.skeleton, low, {}, False)
        return {n: t.to(torch.float64) for n, t in run.outputs.items()}

    def compare(self, element: Element) -> list[Deviation]:
        """Every irrep of every output under one element."""
        given = self.action.inputs(self.reference.inputs, element)
        results, known = self.run(given), self.learnt.get(element, self.noise)
        geometry = self._geometry(given) if isinstance(element, Shift | Wrap) else {}
        rows = []
        for name, noise in known.items():
            slot, value = self.reference.block.output_slot(name), self.reference.values[name]
            error = results[name] - self.action.output(name, self.outputs[name], element)
            if isinstance(element, Turn):
                square = noise.turned(value, slot, self.action.highest)
            elif isinstance(element, Shuffle):
                square = noise.square + self.action.output(name, noise.square, element)
            else:
                # the moved positions round in the format and, in float64, when the displacement is made and when it is added
                square = 2 * noise.square + (self.fmt.roundoff["stored"] ** 2 + 2 * U64**2) * geometry[name][0]
            spread = geometry[name][1] if name in geometry else 0.0
            rows += deviations(element, name, error, square, slot, noise.scale, self.limits, spread, self.kinds[name])
        return rows

    def learn(self, element: Turn, model: E3nnModel) -> None:
        """The noise of both sides of a rotation, measured on both; the float64 model must be as it was, outside ``prepared``.

        Along the axes of a perfect crystal equal numbers round alike and their sums cancel exactly; once it is turned they do
        not. One side's roundings then say nothing of the other's.
        """
        block, spec = self.reference.block, self.reference
        given, roundoff = self.action.inputs(spec.inputs, element), self.backend.roundoff(block, self.fmt)
        tensors, manifest = build_reference(model, block, spec.skeleton, given, {}, seed_of("turned", block.name), DRAWS, apart=True)
        self.learnt[element], given_noise = dict(self.noise), self._turning(model, given)
        for name, own in self.noise.items():
            noise: dict[str, torch.Tensor] = {c: tensors[f"noise:{c}:{name}"] for c in COMPONENTS if f"noise:{c}:{name}" in tensors}
            other = noise_of(noise, manifest["statistics"][name], roundoff, tensors[f"value:{name}"], own.tables)
            spread, fewest = max(own.scale.spread, other.scale.spread), min(own.scale.distinct, other.scale.distinct)
            underflow = max(own.scale.underflow, other.scale.underflow)
            scale = replace(own.scale, spread=spread, distinct=fewest, underflow=underflow)
            stored = torch.maximum((own.stored + other.stored) / 2, given_noise[name])
            self.learnt[element][name] = Noise((own.square + other.square) / 2, stored, own.tables, scale)

    def _turning(self, model: E3nnModel, given: Tensors) -> Tensors:
        """Variance of float64's roundings of the turned arguments: those of ``D x`` are independent even where x repeats itself."""
        block, generator = self.reference.block, torch.Generator().manual_seed(seed_of("turning", self.reference.block.name))

        def values(inputs: Tensors) -> Tensors:
            return Run(lambda arguments: model.call(block, arguments), self.reference.skeleton, inputs, {}, False).outputs

        def perturb(t: torch.Tensor) -> torch.Tensor:
            return t + ETA * t * (2 * torch.rand(t.shape, generator=generator, dtype=t.dtype).to(t.device) - 1) if t.is_floating_point() else t

        variances = squares(lambda _: values({n: perturb(t) for n, t in given.items()}), values(given), range(DRAWS), torch.square)
        return {n: U64 * U64 * moments(own)[0] for n, own in variances.items()}

    def _geometry(self, given: Tensors) -> dict[str, tuple[torch.Tensor, float]]:
        """Variance for u = 1 that the moved positions' own roundings cause, and its relative spread between draws."""
        names, block = ("positions", "shifts"), self.reference.block

        def values(positions: torch.Tensor, shifts: torch.Tensor) -> Tensors:
            tensors = {**given, "positions": positions, "shifts": shifts}
            return Run(lambda arguments: self.backend.call(block, arguments), self.reference.skeleton, tensors, {}, False).outputs

        def draw(seed: int) -> Tensors:
            return values(*perturb_geometry(given["positions"], given["shifts"], given["edge_index"], seed))

        seeds = [seed_of("geometry", block.name, number) for number in range(GEOMETRY_DRAWS)]
        return {n: moments(own) for n, own in squares(draw, values(*(given[n] for n in names)), seeds, torch.square).items()}


def table_errors(model: E3nnModel, reference: BlockReference) -> Tensors:
    """Squared change of every result of the e3nn block in float64 where its coupling tables are exact; empty without any."""
    module = model.module(reference.block)
    if module is None or not any(repaired(t) is not t for t in tensors_of(module)):
        return {}
    with replaced(module, repaired):
        run = Run(lambda arguments: model.call(reference.block, arguments), reference.skeleton, reference.inputs, {}, False)
    return {n: (t - reference.values[n]).square() for n, t in run.outputs.items()}


def structure_of(context: Context, system: str) -> Structure:
    """Counts and lattice of a system."""
    frames = context.systems[system].frames
    cells = torch.stack([torch.tensor(f.cell.array * f.pbc[:, None], dtype=torch.float64) for f in frames for _ in range(len(f))])
    return Structure(context.counts(system), len(context.model.elements), cells)


def group_of(context: Context, key: Key, fmt: Format) -> tuple[Element, ...]:
    """The spectrum of group elements: the full one where errors are smallest, a brief one elsewhere."""
    full, brief = (MODEL_FULL, MODEL_BRIEF) if key.subject == MODEL else (FULL, BRIEF)
    return elements(context.seed, *(full if fmt == FLOAT64 and key.backend == REFERENCE_BACKEND else brief))


def _judge(context: Context, key: Key, reference: BlockReference, backend: BackendModel, fmt: Format, tables: Tensors) -> Record:
    base = {**key.about, "format": fmt.name}
    block, began = reference.block, time.perf_counter()
    action = Action(block, structure_of(context, key.system))
    # a component of a rotated irrep can be as large as its norm
    peak = reference.peaks["forward"] * math.sqrt(2 * max(map(highest, [*block.inputs.values(), *block.outputs.values()]), default=0) + 1)
    why = unsupported(backend, block, fmt)
    if why is None and (reason := undeclared(context, key.system, block)):
        why = Unsupported("not-applicable", reason)
    if why is None and peak > fmt.largest:
        why = Unsupported("out-of-range", f"range: values on the way reach {peak:.3g}, {fmt.name} holds {fmt.largest:.6g}")
    if why is not None:
        return refused(base, why)
    limits = limits_for(context.tolerances, key.subject, key.backend, fmt.name, "forward")
    group = [e for e in group_of(context, key, fmt) if action.applies(e, reference.inputs)]

    def judged() -> Record:
        with backend.prepared(block, fmt):
            subject = BlockSubject(reference, backend, fmt, action, limits, tables)
            every = [deviations for e in group if (deviations := subject.compare(e))]

        def measured(element: Element) -> list[Deviation]:
            with backend.prepared(block, fmt):
                return subject.compare(element)

        for place, compared in enumerate(every):
            element = compared[0].element
            if not isinstance(element, Turn) or not any(d.fails for d in compared):
                continue
            subject.learn(element, context.reference_backend)
            every[place] = measured(element)
            if any(d.fails for d in every[place]):
                break  # red with both sides' noise: what the other elements' noise would be does not matter any more
        return summary(base, every, measured, time.perf_counter() - began)

    finding = attempt(judged)
    return raised(base, finding) if isinstance(finding, Raised) else finding


def _judge_tables(context: Context) -> Record:
    """Upstream's coupling tables against the exact ones: a square root and a normalisation are two roundings."""
    slots = [slot for system in context.systems for b in context.blocks(system) for slot in (*b.inputs.values(), *b.outputs.values())]
    top = min(4, max([2, *map(highest, slots)]))  # at least what every equivariant model has, at most what the exact tables reach
    errors = {f"{a} x {b} -> {c}": coupling(a, b, c).error for a, b, c in triangles(top)}
    name = max(errors, key=lambda n: errors[n])
    fails = errors[name] > TABLE_LIMIT
    reason = f"wigner_3j {name} is off by {errors[name]:.3g} roundings of float64, two are enough" if fails else ""
    return Record(
        check=NAME, subject=TABLES, backend=REFERENCE_BACKEND, format=FLOAT64.name, verdict="fail" if fails else "pass", ratio=errors[name],
        limit=TABLE_LIMIT, reason=reason, detail=figures({"largest_l": top, "tables": len(errors)}), worst=name,
    )  # fmt: skip


def _judge_model(context: Context, key: Key, backend: BackendModel, fmt: Format) -> Record:
    base: dict[str, Any] = {"check": NAME, "subject": MODEL, "backend": key.backend, "format": fmt.name, "system": key.system}
    if why := unsupported(backend, WHOLE, fmt):
        return refused(base, why)
    limits, began = limits_for(context.tolerances, MODEL, key.backend, fmt.name, "forward"), time.perf_counter()
    noise, whole = learned(context, key.system), whole_of(context, key.system, structure_of(context, key.system))

    def judged() -> Record:
        group = [e for e in group_of(context, key, fmt) if whole.applies(e)]
        with backend.prepared(WHOLE, fmt):
            subject = WholeSubject(whole, backend, fmt, limits, noise)
        if subject.peak > fmt.largest:
            return refused(base, Unsupported("out-of-range", f"range: values reach {subject.peak:.3g}, {fmt.name} holds {fmt.largest:.6g}"))
        group = [e for e in group if whole.linear(e, fmt)]

        def compare(element: Element, keep: bool = False) -> list[Deviation]:
            if isinstance(element, Shift | Wrap):
                whole.roundings(element, keep)  # in float64, before the module is cast
            with backend.prepared(WHOLE, fmt):
                return subject.compare(element)

        return summary(base, [compare(e, keep=True) for e in group], compare, time.perf_counter() - began, subject.note, MODEL_EFFORT)

    finding = attempt(judged)
    return raised(base, finding) if isinstance(finding, Raised) else finding


def run(context: Context, key: Key) -> list[Record]:
    """One block, or the whole model, on one backend in every format."""
    if key.subject == TABLES:
        return [_judge_tables(context)]
    backend, library = context.backend(key.backend), context.library(key.system)
    lost = None if key.subject == MODEL else library.refused(key.subject)
    if lost is not None or isinstance(backend, Unsupported):
        why = backend if isinstance(backend, Unsupported) else Unsupported("no-reference", lost or "")
        return [refused({**key.about, "format": f.name}, why) for f in context.formats]
    if key.subject == MODEL:
        return [_judge_model(context, key, backend, fmt) for fmt in context.formats]
    reference = library.get(key.subject)
    tables = table_errors(context.reference_backend, reference)
    return [_judge(context, key, reference, backend, fmt, tables) for fmt in context.formats]


def keys(context: Context) -> list[Key]:
    """Every block on the smallest system that has edges; the steps, where geometry enters, and the whole model on all of them."""
    sized = {name: context.counts(name).edges for name in context.systems}
    smallest = min(sized, key=lambda name: (sized[name] == 0, sized[name]))
    keys = [Key(NAME, TABLES, REFERENCE_BACKEND)] if REFERENCE_BACKEND in context.backend_names and FLOAT64 in context.formats else []
    for system in context.systems:
        names = [b.name for b in context.blocks(system) if system == smallest or b.kind == "step"]
        keys += [Key(NAME, name, backend, system=system) for name in [*names, MODEL] for backend in context.backend_names]
    return keys


INSPECTION = Inspection(NAME, keys, run)
