"""What changed between two runs of the same suite: worst first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mpcheck._errors import InputError
from mpcheck.records import Cell, Quantity, Run

Kind = Literal["verdict", "beyond", "gone", "within", "new", "identical"]
_ORDER: dict[str, int] = {"verdict": 0, "beyond": 1, "gone": 2, "within": 3, "new": 4, "identical": 5}


@dataclass(frozen=True)
class Change:
    """One quantity of one cell in both runs."""

    kind: Kind
    cell: str
    quantity: str
    before: float | None
    after: float | None
    detail: str

    @property
    def size(self) -> float:
        """How far the ratio moved."""
        if self.before is None or self.after is None:
            return float("inf")
        return abs(self.after - self.before)


def compare_runs(before: Run, after: Run) -> list[Change]:
    """Every quantity of both runs: bit-identical, changed within noise, beyond it, new, gone.

    Both runs are measured against float64 references with the same noise scale, so that a change of the rounding ratio by
    less than the sum of both errors is what another order of the same operations would do.

    Raises:
        InputError: runs of different models or suites, which have nothing to compare.
    """
    if before.suite != after.suite:
        raise InputError(f"the runs are of different suites: {before.suite} and {after.suite}")
    if before.model["digest"] != after.model["digest"]:
        raise InputError(f"the runs are of different models: {before.model['name']} and {after.model['name']} differ in weights or architecture")
    old = {c.id: c for c in before.cells}
    new = {c.id: c for c in after.cells}
    changes: list[Change] = []
    for cell_id, cell in new.items():
        changes += _changes(cell_id, old[cell_id], cell) if cell_id in old else [Change("new", cell_id, "", None, cell.worst_rms, cell.verdict)]
    changes += [Change("gone", i, "", c.worst_rms, None, f"was {c.verdict}") for i, c in old.items() if i not in new]
    return sorted(changes, key=lambda c: (_ORDER[c.kind], -c.size, c.cell))


def _changes(cell_id: str, before: Cell, after: Cell) -> list[Change]:
    if before.verdict != after.verdict:
        return [
            Change("verdict", cell_id, "", before.worst_rms, after.worst_rms, f"{before.verdict} -> {after.verdict}: {after.reason or before.reason}")
        ]
    old = {q.name: q for q in before.quantities}
    found = [_change(cell_id, old[q.name], q) if q.name in old else Change("new", cell_id, q.name, None, q.rms, "") for q in after.quantities]
    names = {q.name for q in after.quantities}
    return found + [Change("gone", cell_id, n, q.rms, None, "") for n, q in old.items() if n not in names]


def _change(cell_id: str, before: Quantity, after: Quantity) -> Change:
    if before.digest == after.digest:
        return Change("identical", cell_id, after.name, before.rms, after.rms, "bit-identical")
    moved = _distance(before.rms, after.rms)
    scale = (before.max_abs or 0.0, after.max_abs or 0.0)
    detail = f"max_abs {scale[0]:.3g} -> {scale[1]:.3g}"
    # two sound evaluations of one quantity differ in their ratios by what independent roundings do; a tenth is the drift rule
    beyond = moved > 0.15 * max(before.rms or 0.0, 0.2) + 0.03
    return Change("beyond" if beyond else "within", cell_id, after.name, before.rms, after.rms, detail)


def _distance(a: float | None, b: float | None) -> float:
    if a is None or b is None:
        return 0.0 if a is b else float("inf")
    return abs(a - b)


def render(changes: list[Change], limit: int) -> str:
    """A table in plain text: counts, then the changes that are not bit-identical."""
    labels = {
        "verdict": "verdict changed",
        "beyond": "changed beyond noise",
        "gone": "gone",
        "within": "changed within noise",
        "new": "new",
        "identical": "bit-identical",
    }
    counts = {k: sum(c.kind == k for c in changes) for k in labels}
    lines = ["  ".join(f"{n} {labels[k]}" for k, n in counts.items() if n) or "nothing to compare"]
    shown = [c for c in changes if c.kind != "identical"][:limit]

    def number(x: float | None) -> str:
        return "-" if x is None else f"{x:.3f}"

    for c in shown:
        lines.append(f"{labels[c.kind]:22s} {number(c.before):>8s} -> {number(c.after):<8s} {c.cell} {c.quantity} {c.detail}".rstrip())
    rest = len([c for c in changes if c.kind != "identical"]) - len(shown)
    if rest > 0:
        lines.append(f"… and {rest} more (--limit)")
    return "\n".join(lines)
