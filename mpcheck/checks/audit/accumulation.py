"""Accumulation audit: in what precision the sums of each block are really kept, against what the format declares.

Three measurements. The block's own run, forward and backward, with every sum beside the same sum in float64. The same
operations on crafted terms over growing lengths; for message scatter and energy sum, the block's own code over them. And the
block's outputs against an emulation in which every operation rounds once, which also sees code that adds up pieces itself.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch

from mpcheck._raised import Raised, attempt
from mpcheck.adapters.backends.protocol import BackendModel
from mpcheck.adapters.blocks import Block
from mpcheck.adapters.steps import step_kind
from mpcheck.checks.audit.cells import observed_cell
from mpcheck.checks.audit.counting import name_of
from mpcheck.checks.audit.dtypes import cells_of
from mpcheck.checks.audit.observing import Observation
from mpcheck.checks.audit.partial_sums import LENGTHS, Growth, boundary, classify, growth, sweep
from mpcheck.checks.audit.rounding import Disagreement, disagreement
from mpcheck.formats import WIDE, Component, Format
from mpcheck.judge.context import Context, Inspection, Key, timed
from mpcheck.records.detail import figures
from mpcheck.records.record import Record
from mpcheck.reference.library import BlockReference

NAME = "accumulation"
Metrics = dict[str, float | str | bool | list[str] | None]

APART = 1 / math.sqrt(2)
"""Limit on a block's difference from the emulation, in units of the emulation's own error: half of its variance. One more
rounding of every result gives 1 or more. Sound arithmetic differs in rare ties; where such a tie falls on a weight that
all rows share, in float16, the ratio of builtin:hco reaches 0.37."""


def keys(context: Context) -> list[Key]:
    """Every block of the smallest system in every format below float64."""
    return cells_of(NAME, context, [fmt.name for fmt in context.formats if fmt.storage != torch.float64])


def step_sweep(backend: BackendModel, reference: BlockReference, fmt: Format) -> Growth | None:
    """The block's own code over growing numbers of neighbours or atoms; None for blocks whose lengths are the model's."""
    block = reference.block
    if block.kind != "step" or step_kind(block.name) not in ("scatter", "energy_sum"):
        return None
    flat = reference.inputs["src"].dim() == 1
    dim = reference.skeleton.get("dim", -1)

    def way(x: torch.Tensor) -> torch.Tensor:
        index = torch.zeros(len(x), dtype=torch.long, device=x.device)
        columns = [c.contiguous() for c in x.unbind(1)] if flat else [x]
        block_ = _without_slots(block)  # crafted terms have no irreps, so no layout to convert
        sums = [backend.call(block_, {"src": c, "index": index, "dim": dim, "dim_size": 1}) for c in columns]
        return torch.cat([s.reshape(1, -1) for s in sums], dim=1)

    return sweep(way, fmt.storage, backend.device)


def _without_slots(block: Block) -> Block:
    return Block(block.name, block.kind, block.role, block.class_name, {}, {}, block.parameters)


def declared_components(backend: BackendModel, block: Block, fmt: Format) -> dict[Component, str]:
    """``wide`` or ``native`` for each component of partial sums, as the format and the backend declare them."""
    roundoff = backend.roundoff(block, fmt)
    sums: tuple[Component, ...] = ("inner", "scatter", "gather")
    return {c: classify(roundoff[c], fmt) for c in sums}


class AccumulationVerdict:
    """Gathers what is wrong, and the worst figure in units of its limit."""

    def __init__(self, block: Block, fmt: Format, declaration: Mapping[Component, str]) -> None:
        self.block, self.fmt, self.declared = block, fmt, declaration
        self.faults: list[str] = []
        self.notes: list[str] = []
        self.ratio = 0.0
        self.paths = False
        self.kept: dict[Component, str] = {}
        self.metrics: Metrics = {}

    def _exceed(self, ratio: float) -> None:
        self.ratio = ratio if not ratio <= self.ratio else self.ratio

    def sums(self, name: str, component: Component, dtype: torch.dtype, roundoff: float, how: str) -> None:
        """One operation's partial sums, measured in one way."""
        kept = classify(roundoff, self.fmt)
        self.kept[component] = "native" if "native" in (kept, self.kept.get(component)) else kept
        if self.declared[component] == "native":
            return
        self._exceed(roundoff / boundary(self.fmt))
        if kept == "native":
            self.faults.append(
                f"{self.block.name}: {component} sums of {name} {how} are kept with roundoff {roundoff:.1e} in {name_of(dtype)}; "
                f"{self.fmt.name} declares them wide ({WIDE:.1e})"
            )

    def describe(self, what: str, roundoff: float, swept: Growth | None) -> None:
        """Figures of one operation."""
        self.metrics[f"roundoff {what}"] = roundoff
        if swept is not None:
            self.metrics[f"slope {what}"] = round(swept.slope, 3)
            if swept.stuck is not None:
                self.metrics[f"ones wrong from {what}"] = float(swept.stuck)

    def emulation(self, apart: Disagreement) -> None:
        """The block's outputs against single roundings."""
        self._exceed(apart.ratio / APART)
        if not apart.ratio <= APART:
            self.faults.append(
                f"{self.block.name}: {apart.output} differs from sums that round once by {apart.ratio:.2f} of their own error "
                f"(limit {APART:.2f}), in {apart.share:.0%} of its elements: the code adds up in {self.fmt.name}"
            )

    @property
    def accumulation(self) -> str:
        """``wide``, ``native``, ``mixed``, or ``none`` where nothing is summed."""
        kinds = {*self.kept.values(), *(["native"] if self.paths else [])}
        return "none" if not kinds else kinds.pop() if len(kinds) == 1 else "mixed"


def examine(backend: BackendModel, reference: BlockReference, fmt: Format, seen: Observation) -> AccumulationVerdict:
    """All measurements of one block in one format."""
    block = reference.block
    verdict = AccumulationVerdict(block, fmt, declared_components(backend, block, fmt))
    for (name, dtype), sums in seen.probe.sums.items():
        verdict.sums(name, sums.component, dtype, sums.roundoff, f"over {sums.terms:.0f} terms")
        swept = growth(name, dtype, backend.device)
        if swept is not None:
            verdict.sums(name, sums.component, dtype, swept.roundoff, f"over {LENGTHS[-1]} crafted terms")
        verdict.describe(f"{name} {name_of(dtype)}", sums.roundoff, swept)
    own = step_sweep(backend, reference, fmt)
    if own is not None:
        verdict.sums(step_kind(block.name), "scatter", fmt.storage, own.roundoff, f"over {LENGTHS[-1]} crafted terms")
        verdict.describe("the step itself", own.roundoff, own)
    _paths(verdict, backend, seen)
    _emulate(verdict, backend, reference, seen)
    return verdict


def _paths(verdict: AccumulationVerdict, backend: BackendModel, seen: Observation) -> None:
    """A backend that declares native inner sums adds up the terms of a block itself, one operation after another."""
    if verdict.declared["inner"] == "wide" or verdict.fmt.on(backend.device.type)["inner"] == backend.roundoff(verdict.block, verdict.fmt)["inner"]:
        return
    number, storage = seen.paths[verdict.fmt.storage], name_of(verdict.fmt.storage)
    verdict.metrics[f"path additions {storage}"] = float(number)
    if number and verdict.fmt.roundoff["operation"] > WIDE:
        verdict.paths = True
        verdict.notes.append(f"{number} additions of tensors in {storage}, as declared")
    else:
        verdict.notes.append("declares native sums; what there is of them is kept wide")


def _emulate(verdict: AccumulationVerdict, backend: BackendModel, reference: BlockReference, seen: Observation) -> None:
    """Compare with the emulation where each operation is declared to round once, coarsely enough to tell."""
    fmt = verdict.fmt
    coarse = fmt.roundoff["operation"] > WIDE or (fmt.operand_bits is not None and sum(seen.counts.products.values()) > 0)
    native = [c for c in ("scatter",) if any(s.component == c for s in seen.probe.sums.values()) and verdict.declared["scatter"] == "native"]
    if not coarse or native:
        return
    apart = attempt(lambda: disagreement(backend, reference, fmt))
    if isinstance(apart, Raised):
        verdict.notes.append(f"no emulation: {apart.line}")
        if not apart.of_torch:
            verdict.faults.append(f"raised {apart.text} in a second call")
        return
    verdict.metrics.update({"apart from single roundings": apart.ratio, "elements apart %": round(100 * apart.share, 4)})
    verdict.emulation(apart)


@timed
def run(context: Context, key: Key) -> list[Record]:
    """One block in one format."""
    cell = observed_cell(context, key)
    if isinstance(cell, Record):
        return [cell]
    backend, reference, fmt, seen = cell.backend, cell.reference, cell.fmt, cell.seen
    verdict = examine(backend, reference, fmt, seen)
    verdict.metrics["accumulation"] = verdict.accumulation
    verdict.metrics.update({f"{c} kept": kept for c, kept in verdict.kept.items()})
    verdict.metrics.update({f"{c} declared": verdict.declared[c] for c in verdict.kept})
    reason = "; ".join(verdict.faults[:2] or verdict.notes)
    judged = bool(verdict.kept) or "apart from single roundings" in verdict.metrics
    ratio = (verdict.ratio if math.isfinite(verdict.ratio) else None) if judged else None
    metrics = {k: (None if isinstance(v, float) and not math.isfinite(v) else v) for k, v in verdict.metrics.items()}
    return [Record(**cell.base, verdict="fail" if verdict.faults else "pass", reason=reason, ratio=ratio, limit=1.0, detail=figures(metrics))]


INSPECTION = Inspection(NAME, keys, run)
