"""Tables of the report: worst share per block and format, ratios by format, changes against the base, latencies that moved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mpcheck._names import COST, LATENCY, PRECISION, WHOLE
from mpcheck._text import number
from mpcheck.records.detail import Latency
from mpcheck.records.items import Item
from mpcheck.records.read import Results
from mpcheck.records.reproduce import WHOLE as MODEL
from mpcheck.report import summary
from mpcheck.report.figure import figure
from mpcheck.report.whole import HEAD, whole_rows, whole_title

if TYPE_CHECKING:
    from mpcheck.history.compare import Change, Comparison

ROWS_SHOWN = 300
FORMATS_SHOWN = 16
CHANGES_SHOWN = 50
LATENCIES_SHOWN = 40
TITLES = {
    "new-failure": "New failures", "fixed": "Fixed", "moved": "Moved rounding ratios", "improved": "Improved rounding ratios",
    "latency": "Moved latency", "finding": "Changed findings",
    "gone": "Gone", "new": "New",
}  # fmt: skip


@dataclass(frozen=True)
class RatioField:
    """One field of the table of ratios."""

    share: float | None
    verdict: str

    @property
    def text(self) -> str:
        """``0.83``; ``✗ 3.20`` where a cell failed; a dash where nothing ran."""
        if self.verdict == "unsupported":
            return "–"
        return f"✗ {figure(self.share)}" if self.verdict == "fail" else figure(self.share)


@dataclass(frozen=True)
class Ratios:
    """Worst ratio over its limit, a row for every block and backend, a column for every format."""

    formats: list[str]
    rows: list[tuple[str, str, list[RatioField]]]
    total: int
    formats_left: int


def ratio_table(items: Sequence[Item]) -> Ratios | None:
    """Worst ratio over its limit, of precision's cells, in the model's order; rows with red ones first where there are too many."""
    cells = [i for i in items if i.check == PRECISION]
    if not cells:
        return None
    formats = list(dict.fromkeys(i.format for i in cells))
    groups: dict[tuple[str, str], dict[str, list[Item]]] = {}
    for item in cells:
        groups.setdefault((item.subject, item.backend), {}).setdefault(item.format, []).append(item)
    shown = formats[:FORMATS_SHOWN]
    rows = [(block, backend, [_field(by_format.get(f, [])) for f in shown]) for (block, backend), by_format in groups.items()]
    if len(rows) > ROWS_SHOWN:
        rows.sort(key=lambda row: (all(f.verdict != "fail" for f in row[2]), -max((f.share or 0.0 for f in row[2]), default=0.0)))
    return Ratios(shown, rows[:ROWS_SHOWN], len(rows), len(formats) - len(shown))


def _field(items: Sequence[Item]) -> RatioField:
    ran = [i for i in items if i.verdict != "unsupported"]
    if not ran:
        return RatioField(None, "unsupported")
    failed = any(i.failed for i in ran)
    return RatioField(max((i.share for i in ran), default=None), "fail" if failed else "pass")


def spread(results: Results) -> list[tuple[str, float, float, float]]:
    """Per format: median, 95th percentile and largest rounding ratio over all tensors."""
    run = results.of_check(PRECISION)
    if run is None:
        return []
    formats = list(dict.fromkeys(c.format for c in run.of(PRECISION)))[:FORMATS_SHOWN]
    return [(name, *ratios) for name in formats if (ratios := summary.ratio_range(run, name)) is not None]


@dataclass(frozen=True)
class ChangeGroup:
    """Changes of one kind: the first :data:`CHANGES_SHOWN` of them, and how many there are."""

    kind: str
    title: str
    changes: list[Change]
    total: int


def change_groups(comparison: Comparison | None) -> list[ChangeGroup]:
    """Changes against the base by kind, worst kind first."""
    if comparison is None:
        return []
    groups: dict[str, list[Change]] = {}
    for change in comparison.changes:
        groups.setdefault(change.kind, []).append(change)
    order = [k for k in TITLES if k in groups] + [k for k in groups if k not in TITLES]
    return [ChangeGroup(k, TITLES.get(k, k), groups[k][:CHANGES_SHOWN], len(groups[k])) for k in order]


@dataclass(frozen=True)
class Moved:
    """A benchmark that did not stay the same, or of which it could not be told."""

    subject: str
    backend: str
    format: str
    work: str
    decision: str
    effect: str
    milliseconds: str


def latencies(results: Results) -> tuple[list[Moved], int]:
    """Benchmarks other than the same, largest effect first, at most :data:`LATENCIES_SHOWN`, and how many there are."""
    run = results.of_check(COST)
    moved = [f for f in run.records if f.check == LATENCY and (f.latency.decision or f.verdict) != "same"] if run is not None else []
    decided = [f for f in moved if f.latency.effect_percent is not None]
    decided.sort(key=lambda f: (f.verdict != "fail", -abs(f.latency.effect_percent or 0.0)))
    rows = [
        Moved(
            f.subject, f.backend, f.format, f.variant, f.latency.decision or f.verdict, _effect(f.latency),
            f"{number(f.latency.base_median_ms)} → {number(f.latency.median_ms)}",
        )
        for f in decided[:LATENCIES_SHOWN]
    ]  # fmt: skip
    return rows, len(decided)


def _effect(latency: Latency) -> str:
    low, high = latency.low_percent, latency.high_percent
    interval = f" [{low:+.1f}, {high:+.1f}]" if low is not None and high is not None else ""
    return f"{latency.effect_percent or 0.0:+.1f} %{interval}"


@dataclass(frozen=True)
class Whole:
    """A table of the whole model: what it errs by, what it gains, how long it takes."""

    title: str
    head: tuple[str, ...]
    rows: list[list[str]]


def whole_tables(results: Results) -> list[Whole]:
    """The whole model in every format, and its latencies; none of records that do not have them."""
    tables = []
    run = results.of_check(WHOLE)
    if run is not None and run.of(WHOLE):
        tables.append(Whole(whole_title(run), HEAD, whole_rows(run)))
    timed = results.of_check(COST)
    rows = [
        [r.system, r.backend, r.format, r.variant, number(r.latency.median_ms), _moved(r.latency), r.latency.decision or r.verdict]
        for r in (timed.of(LATENCY) if timed is not None else ()) if r.subject == MODEL
    ]  # fmt: skip
    if rows:
        tables.append(Whole("its latency", ("system", "backend", "format", "work", "ms", "against base", "decision"), rows[:ROWS_SHOWN]))
    return tables


def _moved(latency: Latency) -> str:
    return "–" if latency.effect_percent is None else _effect(latency)
