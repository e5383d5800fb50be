"""Every row of blocks that are judged on a sample: one float64 pass over all of a structure, each block replayed on it in every format.

A sample has few of the rows that are wrong where few are, and none of those that are wrong by their number. Here nothing is sampled and
nothing kept: as the model runs, every block's own arguments go through the block in each format and on each backend, and the error of each
row is compared with its noise (:mod:`mpcheck.judge.rows`). Gradients are judged on the sample alone.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Collection, Mapping, Sequence
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
from mpcheck.judge.row_noise import Call, Groups, row_means, row_noise
from mpcheck.judge.rows import RowFinding, Rows, combined, told_by
from mpcheck.judge.scale import Scale, noise_scale
from mpcheck.judge.tolerances import limits_for
from mpcheck.records.detail import figures
from mpcheck.records.record import Record
from mpcheck.reference.build import evaluate
from mpcheck.reference.cut import Graph
from mpcheck.reference.library import BlockReference
from mpcheck.reference.steady import copied

MATTERS = 0.01
"""Share of the mean square noise of all rows in a format from which on a component is drawn."""


@dataclass(frozen=True)
class Exact:
    """What one block's calls are judged by.

    Attributes:
        sizes: mean squares of the values' rows, [rows, groups].
    """

    call: Call
    reference: BlockReference
    values: Tensors
    sizes: Tensors


def judged(blocks: Sequence[Block]) -> list[str]:
    """Names of the blocks that are judged: of composites those that add nothing up, whose rows are as much their own as those of leaves."""
    sums = [block.name for block in blocks if block.kind == "step"]
    return [b.name for b in blocks if b.kind != "composite" or not any(name.startswith(f"{b.name}.") for name in sums)]


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
        if block.name not in self.blocks:
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
        call = Call(block, skeleton, given, self.atoms, self.edges, groups)
        return Exact(call, self.library.get(block.name), values, {n: row_means(values[n].square(), groups[n]) for n in groups})

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
        errors = row_means((low.to(value.device, torch.float64) - value).square_(), groups)
        beyond = value.abs().reshape(len(value), -1).amax(1) > fmt.largest
        return self.told(exact, name, errors.masked_fill(beyond[:, None], 0.0), backend, fmt, limit)

    def told(
        self, exact: Exact, name: str, errors: torch.Tensor, backend: BackendModel, fmt: Format, limit: float
    ) -> tuple[RowFinding, RowFinding]:  # fmt: skip
        """The same of errors.

        Args:
            errors: mean squares, [rows, groups]; 0 of rows that are not judged.
        """
        reference, roundoff, groups = exact.reference, _roundoff(backend, exact.reference, fmt, name), exact.call.groups[name]
        scale, held = self._sampled(reference, name, roundoff, groups, fmt)
        sample, sizes = row_means(scale.s.square(), groups), row_means(reference.values[name].square(), groups)
        noise = torch.stack([told_by(*columns) for columns in zip(sample.T, sizes.T, exact.sizes[name].T, strict=True)], 1)
        rows = Rows(errors, noise, groups, scale, limit)
        suspects = rows.suspects()
        return rows.together(), rows.alone(suspects, self.drawn(exact, name, suspects, roundoff, held) if len(suspects) else None)

    def drawn(self, exact: Exact, name: str, rows: torch.Tensor, roundoff: Mapping[Component, float], held: torch.Tensor) -> torch.Tensor:
        """The own noise of some rows in a format, [rows, groups]."""
        statistics = exact.reference.statistics[name]["components"]
        shares: dict[Component, float] = {c: roundoff.get(c, 0.0) ** 2 * row["mean_square"] for c, row in statistics.items() if c != "underflow"}
        components = [c for c, share in shares.items() if share > MATTERS * sum(shares.values())]
        underflow = _underflow(exact.reference, name, exact.call.groups[name], roundoff).to(exact.values[name].device)
        result = exact.sizes[name][rows] * roundoff.get("result", 0.0) ** 2
        if not components:
            return underflow + result
        noise = row_noise(self.library.backend, exact.call, exact.values, name, rows.cpu(), components, self.library.spec.seed)
        return combined(noise, roundoff, held, underflow) + result

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
