"""What must not matter to a block: how its inputs and cotangents lie in memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch

from mpcheck._raised import Raised, attempt
from mpcheck._unsupported import Unsupported
from mpcheck.adapters.backends.protocol import BackendModel
from mpcheck.adapters.execution import Run, Tensors
from mpcheck.checks.physics.inputs import orderable
from mpcheck.checks.physics.structure import DRAWS, Case, limit_of, rms
from mpcheck.formats import FLOAT64
from mpcheck.judge.compared import Compared
from mpcheck.judge.metrics import widened
from mpcheck.judge.refusing import usable
from mpcheck.judge.scale import noise_scale
from mpcheck.judge.tolerances import limits_for
from mpcheck.records.record import Record
from mpcheck.reference.deviation import deviation, disturbed
from mpcheck.reference.library import BlockReference
from mpcheck.reference.noise import seed_of


def every_other(t: torch.Tensor) -> torch.Tensor:
    """The same values, every other element of a wider tensor of which the rest is NaN."""
    wide = torch.full((*t.shape[:-1], 2 * t.shape[-1]), -1 if not t.is_floating_point() else math.nan, dtype=t.dtype, device=t.device)
    wide[..., ::2] = t
    return wide[..., ::2]


def columns_first(t: torch.Tensor) -> torch.Tensor:
    """The same values with the last axis slowest in memory."""
    return t.movedim(-1, 0).contiguous().movedim(0, -1)


def one_row(t: torch.Tensor) -> torch.Tensor:
    """The first row for all rows, without copying it: stride 0. Integers stay."""
    return t[:1].expand_as(t) if t.is_floating_point() and t.shape[0] > 0 else t


LAYOUTS: Mapping[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "every other element": every_other,
    "columns first": columns_first,
    "expanded": one_row,
}


def strided(case: Case) -> list[Record]:
    """Every block in float64 on inputs and cotangents that are not contiguous, against contiguous copies of the same values."""
    backend = case.context.backend(case.key.backend)
    assert not isinstance(backend, Unsupported), "checked before"
    library = case.context.library(case.key.system)
    fmt = FLOAT64
    blocks = [b for b in case.context.blocks(case.key.system) if not isinstance(usable(library, backend, b, fmt), Unsupported)]
    seen: dict[str, list[StridedBlock]] = {layout: [] for layout in LAYOUTS}
    for block in blocks:
        reference = library.get(block.name)
        for layout in LAYOUTS:
            seen[layout].append(StridedBlock(block.name, *_block(case, backend, reference, layout)))
    return [_finding(case, layout, rows) for layout, rows in seen.items()]


@dataclass(frozen=True)
class StridedBlock(Compared):
    """One block in one layout: the largest share of a limit, of which tensor, and what was raised."""

    block: str
    ratio: float
    limit: float
    tensor: str
    error: str


def _finding(case: Case, layout: str, rows: list[StridedBlock]) -> Record:
    """Blames the first block that raised, else the one that is farthest off; no composite of which a part is off."""
    off = {r.block for r in rows if not r.share <= 1.0}
    guilty = [r for r in rows if r.block in off and not any(o.startswith(f"{r.block}.") for o in off)]
    nothing = StridedBlock("", 0.0, 1.0, "", "")
    worst = next((r for r in guilty if r.error), max(guilty or rows, key=lambda r: r.share, default=nothing))
    place = ", ".join(filter(None, (worst.block, worst.tensor))) if worst.share > 0 else ""
    reason = f"{place}: raised {worst.error}" if worst.error else f"{place} depends on how its inputs lie in memory ({layout})"
    metrics: dict[str, float | str | bool] = {"blocks": float(len(rows))}
    return case.finding(worst.ratio, limit=worst.limit, variant=layout, worst=place, block=worst.block, reason=reason, metrics=metrics)


def _block(case: Case, backend: BackendModel, reference: BlockReference, layout: str) -> tuple[float, float, str, str]:
    """The largest share of its limit among a block's outputs and gradients: ratio, limit, tensor, and what was raised."""
    change = LAYOUTS[layout]
    moved = {n: change(t) if t.dim() else t for n, t in reference.inputs.items()}
    cotangents = {c: {n: change(t) if t.dim() else t for n, t in by.items()} for c, by in reference.cotangents.items()}
    plain = {n: t.contiguous() for n, t in moved.items()}, {c: {n: t.contiguous() for n, t in by.items()} for c, by in cotangents.items()}
    base = _run(backend, reference, *plain)
    results = attempt(lambda: _run(backend, reference, moved, cotangents))
    if isinstance(results, Raised):
        return math.inf, 1.0, "its call", results.text
    rms_limit = limits_for(case.context.tolerances, reference.block.name, backend.name, FLOAT64.name, "forward").rms
    worst = (0.0, rms_limit, "out", "")
    judge = _Noise(case, backend, reference, plain, base, rms_limit)
    for name, value in base.items():
        got = results.get(name)
        if got is not None and torch.equal(got, value):
            continue
        if got is None or got.shape != value.shape:
            what = "is missing" if got is None else f"has the shape {list(got.shape)} instead of {list(value.shape)}"
            ratio, limit, name = math.inf, 1.0, f"{name}, which {what} and"
        else:
            ratio, limit = judge.difference(name, orderable(rms(got - value)), layout == "expanded")
        if ratio / limit > worst[0] / worst[1]:
            worst = (ratio, limit, name, "")
    return worst


@dataclass(frozen=True)
class _Noise:
    """Two computations of one block that differ, by what roundings of float64 can do to it. That bits differ says nothing by itself.

    Attributes:
        plain: contiguous inputs and cotangents; base: the results on them.
        limit: on a ratio of a tensor of many independent roundings.
    """

    case: Case
    backend: BackendModel
    reference: BlockReference
    plain: tuple[Tensors, Mapping[str, Tensors]]
    base: Tensors
    limit: float
    _measured: dict[str, Tensors] = field(default_factory=dict)

    def difference(self, name: str, size: float, other_values: bool) -> tuple[float, float]:
        """An RMS difference in units of what two roundings make, and the limit on it.

        By the reference's noise, where these are its values; beyond it, and where it has none, by draws on these very inputs.

        Args:
            other_values: of the inputs than the reference's.
        """
        reference, allowed, limit = self.reference, 0.0, self.limit
        if name in reference.values and not other_values:
            roundoff = self.backend.roundoff(reference.block, FLOAT64)
            scale = noise_scale(reference.noise[name], reference.statistics[name], roundoff, reference.values[name])
            limit, allowed = widened(self.limit, scale.spread), scale.rms
        if not size <= limit * math.sqrt(2.0) * allowed:
            drawn = self._draws(name in reference.values).get(name)
            if drawn is not None and rms(drawn) > allowed:
                limit, allowed = max(limit, limit_of(self.case, drawn.numel())), rms(drawn)
        return (size / (math.sqrt(2.0) * allowed) if allowed > 0 else math.inf), limit

    def _draws(self, known: bool) -> Tensors:
        """By the reference backend, so that a faulty one cannot widen what it is judged by, of all that it has too."""
        backend: BackendModel = self.case.context.reference_backend if known else self.backend
        if backend.name not in self._measured:

            def values() -> Tensors:
                return _run(backend, self.reference, *self.plain)

            base = self.base if backend is self.backend else values()
            seeds = [seed_of("strided", self.case.context.seed, self.reference.block.name, draw) for draw in range(DRAWS)]
            self._measured[backend.name] = deviation(disturbed(values), base, seeds)
        return self._measured[backend.name]


def _run(backend: BackendModel, reference: BlockReference, inputs: Tensors, cotangents: Mapping[str, Tensors]) -> Tensors:
    block = reference.block
    with backend.prepared(block, FLOAT64):
        run = Run(lambda arguments: backend.call(block, arguments), reference.skeleton, inputs, backend.parameters(block), True)
        results = {n: t.detach() for n, t in run.outputs.items()}
        for case, by_output in cotangents.items():
            by_input, by_parameter = run.backward({n: c for n, c in by_output.items() if n in run.outputs}, retain=True)
            results.update({f"grad.{case}.{n}": g for n, g in by_input.items()})
            results.update({f"weight.{case}.{n}": g for n, g in backend.reference_gradients(block, by_parameter).items()})
        return results
