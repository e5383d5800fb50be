"""Every row of blocks that are judged on a sample: one float64 pass over all of a structure, each block replayed on it in every format.

A sample has few of the rows that are wrong where few are, and none of those that are wrong by their number. Here nothing is sampled and
nothing kept: as the model runs, every block's own arguments go through the block in each format and on each backend, and the error of each
row is compared with what a few draws say of it (:mod:`mpcheck.judge.rows`). Gradients are judged on the sample alone.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from mpcheck._names import EVERY_ROW
from mpcheck._raised import Raised, attempt
from mpcheck._unsupported import Unsupported
from mpcheck.adapters.backends.protocol import BackendModel
from mpcheck.adapters.blocks import Block
from mpcheck.adapters.execution import Tensors
from mpcheck.adapters.observe import Observer
from mpcheck.adapters.parts import parts_of
from mpcheck.adapters.upstream import quiet
from mpcheck.checks.precision import PrecisionCheck
from mpcheck.formats import Component, Format
from mpcheck.judge.refusing import raised, refused, usable
from mpcheck.judge.replay import FORWARD, replay
from mpcheck.judge.row_noise import Call, Groups, row_means, row_noise, rows_alone
from mpcheck.judge.rows import RowFinding, combined, judge_rows
from mpcheck.judge.scale import Scale, noise_scale
from mpcheck.judge.tolerances import limits_for
from mpcheck.records.detail import figures
from mpcheck.records.record import Record
from mpcheck.reference.build import evaluate
from mpcheck.reference.cut import Graph
from mpcheck.reference.library import BlockReference
from mpcheck.reference.sample import widths_of
from mpcheck.reference.steady import copied

MATTERS = 0.01
"""Share of the mean square noise in some format from which on a component is drawn."""


@dataclass(frozen=True)
class Exact:
    """What one block's calls are judged by.

    Attributes:
        noise: by result and component, see :func:`mpcheck.judge.row_noise.row_noise`. sizes: mean squares of the values.
    """

    call: Call
    reference: BlockReference
    values: Tensors
    noise: Mapping[str, Mapping[Component, torch.Tensor]]
    sizes: Tensors


class EveryRow:
    """Judges every row of some blocks while the float64 model runs; takes what an observer sees."""

    def __init__(
        self, check: PrecisionCheck, graph: Graph, blocks: Collection[str], formats: Sequence[Format], backends: Sequence[str],
        note: Callable[[str], None] = lambda _: None,
    ) -> None:  # fmt: skip
        """Args:
        check: judges the same blocks on a sample.
        graph: all of the structure, or as much as there is room for.
        blocks: names of those that are judged.
        note: is told which block is at hand.
        """
        self.check, self.library, self.note = check, check.library, note
        self.blocks, self.formats = blocks, formats
        self.backends = {name: check.backend(name) for name in backends}
        self.graph, self.atoms, self.edges = graph, len(graph["positions"]), int(graph["edge_index"].shape[1])
        self.widths = widths_of(self.library.backend.model)
        self.about: Mapping[str, Any] = {}
        self.records: list[Record] = []
        self.seen: set[str] = set()

    def run(self, about: Mapping[str, Any]) -> list[Record]:
        """A record for each block, backend and format.

        Args:
            about: names that the records have in common.

        Raises:
            BaseException: what the float64 model raises.
        """
        self.about = about
        if isinstance(attempt(lambda: self._pass(torch.no_grad())), Raised):
            self._pass(contextlib.nullcontext())  # a model that differentiates on its way
        for name in sorted(set(self.blocks) - self.seen):
            reason = f"{name} is not called on all of the structure, and is on a part of it"
            self.records.append(Record(**self.about, check=EVERY_ROW, subject=name, variant=FORWARD, verdict="fail", reason=reason))
        return self.records

    def _pass(self, gradients: contextlib.AbstractContextManager[Any]) -> None:
        """The float64 model on the structure, every block of which is judged as it is called."""
        self.records, self.seen = [], set()
        model, device = self.library.backend.model, self.library.backend.device
        data = {k: v.clone().to(device) for k, v in self.graph.items()}
        with quiet(), gradients, Observer(model, self).watching():
            model(data, compute_force=False)

    def inputs(self, block: Block, skeleton: Any, tensors: dict[str, torch.Tensor]) -> None:
        """One call, judged before the model goes on; see :class:`mpcheck.adapters.observe.Sink`."""
        self.seen.add(block.name)
        if block.name not in self.blocks or block.kind == "composite":
            return
        self.note(f"every row of {block.name}")
        given = {n: t.detach() for n, t in tensors.items()}
        exact = attempt(lambda: self.exact(block, skeleton, given))
        if exact is None:
            return
        for name, backend in self.backends.items():
            for fmt in self.formats:
                base = {**self.about, "check": EVERY_ROW, "subject": block.name, "backend": name, "format": fmt.name, "variant": FORWARD}
                began = time.perf_counter()
                found = exact if isinstance(exact, Raised) else attempt(lambda e=exact, b=backend, f=fmt, base=base: self._judged(e, b, f, base))  # type: ignore[misc]  # bound
                record = raised(base, found) if isinstance(found, Raised) else found
                self.records.append(record.model_copy(update={"seconds": round(time.perf_counter() - began, 6)}))

    def refused(self, block: Block, reason: str) -> None:
        """What its cells say already."""
        self.seen.add(block.name)

    def output(self, block: str, output: str, value: torch.Tensor) -> None:
        """Its block's own replays have judged it."""

    def cotangent(self, block: str, output: str, value: torch.Tensor) -> None:
        """Nothing is differentiated."""

    def exact(self, block: Block, skeleton: Any, given: Tensors) -> Exact | None:
        """Values and noise of one call; None where it has no rows of atoms or edges."""
        backend = self.library.backend
        values = evaluate(backend, block, skeleton, copied(given, backend.device), {})
        module = backend.module(block)
        groups = {
            n: parts_of(block, module, n, tuple(v.shape)).groups
            for n, v in values.items()
            if v.dim() and v.numel() and len(v) in (self.atoms, self.edges)
        }
        if not groups:
            return None
        reference = self.library.get(block.name)
        alone = rows_alone(skeleton, given, self.atoms, self.edges) if self.library.rows(block.name) else None
        call = Call(block, skeleton, given, groups, alone, self.widths.get(block.module_path, max(v[:1].numel() for v in values.values())))
        noise = row_noise(backend, call, values, self._components(reference, groups), self.library.spec.seed)
        return Exact(call, reference, values, noise, {n: row_means(values[n].square(), groups[n]) for n in groups})

    def _components(self, reference: BlockReference, names: Collection[str]) -> list[Component]:
        """Those that have a share of the noise of some result in some format on some backend."""
        wanted: dict[Component, None] = {}
        for backend, fmt in self._pairs():
            for name in names:
                roundoff = _roundoff(backend, reference, fmt, name)
                rows = reference.statistics[name]["components"]
                shares: dict[Component, float] = {c: roundoff.get(c, 0.0) ** 2 * row["mean_square"] for c, row in rows.items()}
                wanted |= dict.fromkeys(c for c, share in shares.items() if share > MATTERS * sum(shares.values()) and c != "underflow")
        return list(wanted)

    def _pairs(self) -> Iterator[tuple[BackendModel, Format]]:
        return ((backend, fmt) for backend in self.backends.values() if not isinstance(backend, Unsupported) for fmt in self.formats)

    def _judged(self, exact: Exact, backend: BackendModel | Unsupported, fmt: Format, base: dict[str, Any]) -> Record:
        block, reference = exact.call.block, exact.reference
        runs = usable(self.library, backend, block, fmt)
        if isinstance(runs, Unsupported):
            return refused(base, runs)
        if (peak := reference.peaks[FORWARD]) > fmt.largest:
            return refused(base, Unsupported("out-of-range", f"range: values on the way reach {peak:.3g}, {fmt.name} holds {fmt.largest:.6g}"))
        full = replace(reference, block=block, skeleton=exact.call.skeleton, inputs=exact.call.inputs)
        low = replay(runs, full, fmt, FORWARD)
        limit = limits_for(self.check.tolerances, block.name, runs.name, fmt.name, FORWARD).rms
        findings = {name: self.finding(exact, name, low.get(name), runs, fmt, limit) for name in exact.call.groups}
        name, (every, one) = max(findings.items(), key=lambda item: max(found.share for found in item[1]))
        worst, rows = max(one, every, key=lambda found: found.share), len(exact.values[name])
        text = "" if worst.share <= 1 else self._text(block.name, name, worst, rows)
        where = "" if worst.row is None else f"{self._kind(rows)} {worst.row:,}"
        return Record(
            **base, verdict="fail" if text else "pass", ratio=worst.ratio if math.isfinite(worst.ratio) else None, limit=worst.limit, reason=text,
            worst=", ".join(filter(None, [where, worst.group])), detail=figures(_figures(rows, every, one)),
        )  # fmt: skip

    def finding(
        self, exact: Exact, name: str, low: torch.Tensor | None, backend: BackendModel, fmt: Format, limit: float
    ) -> tuple[RowFinding, RowFinding]:
        """What comes closest to its limit of all rows of a result together, and of single ones.

        Args:
            low: as the format computed it. limit: on the RMS ratio of a cell.
        """
        value, groups = exact.values[name], exact.call.groups[name]
        if low is None or low.shape != value.shape:
            lost = RowFinding(math.inf, limit, None, "", len(value))
            return lost, lost
        roundoff = _roundoff(backend, exact.reference, fmt, name)
        scale, held = self._sampled(exact.reference, name, roundoff, groups, fmt)
        noise = combined(exact.noise[name], roundoff, held, _underflow(exact.reference, name, groups, roundoff).to(value.device)).expand_as(
            exact.sizes[name]
        )
        errors = row_means((low.to(value.device, torch.float64) - value).square_(), groups)
        held_by_format = value.abs().reshape(len(value), -1).amax(1) <= fmt.largest
        return judge_rows(errors, noise, exact.sizes[name], groups, scale, limit, held_by_format)

    def _sampled(
        self, reference: BlockReference, name: str, roundoff: Mapping[Component, float], groups: Groups, fmt: Format
    ) -> tuple[Scale, torch.Tensor]:
        """The scale of a sample, and by how much emulated roundings are beyond it in each group: numbers that all but repeat round alike."""
        value = reference.values[name]
        scale = noise_scale(reference.noise[name], reference.statistics[name], roundoff, value)
        own = row_means(scale.s.square(), groups).mean(0)
        if fmt.accumulation != "wide" or fmt.operand_bits is not None:
            return scale, torch.ones_like(own)
        parts = [(..., where) for _, where in groups] if len(groups) > 1 else [...]
        scale = scale.holding(self.library.emulated(reference.block.name, fmt.storage)[name] - value, value, parts)
        return scale, (row_means(scale.s.square(), groups).mean(0) / own).nan_to_num(nan=1.0)

    def _kind(self, rows: int) -> str:
        return "edge" if rows == self.edges else "atom"

    def _text(self, block: str, name: str, worst: RowFinding, rows: int) -> str:
        of = f" of {name}" if name != "out" else ""
        part = f", {worst.group}," if worst.group else ""
        kind = self._kind(rows)
        if worst.row is None:
            return f"{block}: all {rows:,} {kind}s{of}{part} err by {worst.ratio:.3g} times their noise, {worst.limit:.3g} are allowed"
        others = f"; so do {worst.many:,} of {rows:,}" if worst.many > 1 else ""
        return f"{block}: {kind} {worst.row:,}{of}{part} errs by {worst.ratio:.3g} times its noise, {worst.limit:.3g} are allowed{others}"


def _figures(rows: int, every: RowFinding, one: RowFinding) -> dict[str, float]:
    found = {
        "rows": float(rows),
        "rms": every.ratio,
        "rms_limit": every.limit,
        "row": one.ratio,
        "row_limit": one.limit,
        "wrong_rows": float(one.many),
    }
    return {name: value for name, value in found.items() if math.isfinite(value)}


def _underflow(reference: BlockReference, name: str, groups: Groups, roundoff: Mapping[Component, float]) -> torch.Tensor:
    """Mean square noise of each group from values below the format's normal range, as a sample has it: an absolute error, of any row [groups]."""
    statistics = reference.statistics[name]
    rows = statistics["parts"] if len(groups) > 1 and len(statistics["parts"]) == len(groups) else [statistics["components"]] * max(1, len(groups))
    squares = [row.get("underflow", {}).get("mean_square", 0.0) for row in rows]
    return torch.tensor(squares, dtype=torch.float64) * roundoff["underflow"] ** 2


def _roundoff(backend: BackendModel, reference: BlockReference, fmt: Format, name: str) -> dict[Component, float]:
    """Roundoff of each component, that of underflow with what hardware may flush, as :func:`mpcheck.judge.scale.noise_scale` has it."""
    roundoff = backend.roundoff(reference.block, fmt)
    flushed = roundoff.get("flush", 0.0) * reference.statistics[name]["terms"]
    return {**roundoff, "underflow": (roundoff.get("underflow", 0.0) ** 2 + flushed**2) ** 0.5}
