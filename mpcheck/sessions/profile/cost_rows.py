"""What blocks must cost by the model of costs, beside what was counted: findings of the profile session, and their table."""

from __future__ import annotations

from collections.abc import Iterator

from mpcheck._names import COST_MODEL, REFERENCE_BACKEND
from mpcheck.adapters.facts.architecture import architecture_facts
from mpcheck.bench.cost.fingerprint import fingerprint
from mpcheck.bench.cost.model import predicted
from mpcheck.bench.figures import Fingerprint
from mpcheck.bench.keys import BenchKey
from mpcheck.bench.work.workload import UnsupportedError
from mpcheck.bench.work.workloads import Workloads
from mpcheck.formats import get_format
from mpcheck.records.detail import CostModel
from mpcheck.records.document import Records
from mpcheck.records.record import Record

HEAD = ("block", "equation", "formula", "predicted M multiply-adds", "counted M", "counted / predicted", "activation KiB", "peak KiB")


def counted(workloads: Workloads, system: str, batch: int, fmt: str) -> Iterator[tuple[str, Fingerprint]]:
    """Fingerprints of every block's forward call."""
    for block in workloads.blocks(system, batch):
        try:
            with workloads.opened(BenchKey(system, batch, block.name, REFERENCE_BACKEND, fmt, "forward")) as workload:
                yield block.name, fingerprint(workload)
        except UnsupportedError:
            continue


def cost_findings(workloads: Workloads, system: str, batch: int, fmt: str) -> list[Record]:
    """One finding a formula and block, in the model's order."""
    graph = workloads.graph(system, batch)
    size = get_format(fmt).storage.itemsize
    facts = architecture_facts(workloads.session.reference_backend.model)
    rows = predicted(facts, len(graph["positions"]), int(graph["edge_index"].shape[1]), size, dict(counted(workloads, system, batch, fmt)))
    return [
        Record(
            check=COST_MODEL, subject=row.block, backend=REFERENCE_BACKEND, format=fmt, system=system, batch=batch,
            variant=row.equation, verdict="pass",
            detail=CostModel(
                formula=row.formula, predicted_multiply_adds=row.multiply_adds, counted_multiply_adds=row.counted,
                counted_over_predicted=None if row.ratio is None else round(row.ratio, 4), activation_bytes=row.activation_bytes,
                peak_bytes=row.peak_bytes,
            ),
        )
        for row in rows
    ]  # fmt: skip


def cost_cells(run: Records) -> list[list[str]]:
    """The table's lines."""

    def scaled(value: float | None, unit: float) -> str:
        return "–" if value is None else f"{value / unit:.3g}"

    lines = []
    for f in run.records:
        if not isinstance(m := f.detail, CostModel):
            continue
        known = [scaled(m.predicted_multiply_adds, 1e6), scaled(m.counted_multiply_adds, 1e6), scaled(m.counted_over_predicted, 1)]
        lines.append([f.subject, f.variant, m.formula, *known, scaled(m.activation_bytes, 1024), scaled(m.peak_bytes, 1024)])
    return lines
