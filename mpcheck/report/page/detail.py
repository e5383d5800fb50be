"""Every conclusion, block by block, within a budget of bytes: red ones first, then the others, alike ones put together where they are many."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from mpcheck._names import GOLDEN, PRECISION
from mpcheck._text import COMMAND, html, number, visible
from mpcheck.records.document import Records
from mpcheck.records.items import Item, item_of, lost_items
from mpcheck.records.read import Results
from mpcheck.records.tensors import decisive
from mpcheck.report.page.commands import Commands
from mpcheck.sessions.registry import get

EACH = 8000
"""Conclusions up to which each gets a row; beyond, those of a block, backend and format that passed share one."""
BUDGET = 4_500_000
"""Bytes of all rows together. With the pictures (2 MB) and the rest a report stays below 10 MB."""
ROW = 420
"""Bytes of a row's own markup."""
GROUP = 300
TEXT = 160


@dataclass(frozen=True)
class Row:
    """One conclusion, or the worst of several alike.

    Attributes:
        alike: how many more it stands for.
        told: the reason; where there is none, the worst element.
    """

    item: Item
    max_abs: str
    told: str
    command: str
    alike: int = 0

    @property
    def size(self) -> int:
        """Bytes that it takes in the report, markup included."""
        i = self.item
        shown = (i.check, i.subject, i.format, i.backend, i.variant, i.system)
        return ROW + sum(len(html(t, TEXT).encode()) for t in shown) + len(html(self.told + self.command, 2 * COMMAND).encode())


@dataclass
class SubjectRows:
    """All rows about one subject."""

    subject: str
    is_block: bool
    rows: list[Row] = field(default_factory=list)

    @property
    def red(self) -> int:
        """Red conclusions among them."""
        return sum(row.item.failed for row in self.rows)


@dataclass(frozen=True)
class Detail:
    """Groups in the model's order; ``alike`` conclusions are stood for by one shown, ``left`` are not shown, ``red_left`` of them red."""

    groups: list[SubjectRows]
    total: int
    alike: int
    left: int
    red_left: int


@dataclass(frozen=True)
class _Candidate:
    item: Item
    max_abs: float | None = None
    alike: int = 0


def _candidates(document: Records) -> Iterator[_Candidate]:
    """What a session concluded. Golden values and maps of time are listed only where they are red: the others say nothing apart."""
    for record in document.records:
        item = item_of(document.suite, record)
        if item.verdict != "pass" or (get(document.suite).judges and item.check != GOLDEN):
            told = decisive(record.quantities)
            yield _Candidate(item, told.max_abs if told is not None and item.check != GOLDEN else None)
    yield from map(_Candidate, lost_items(document))


def _together(candidates: Iterable[_Candidate]) -> list[_Candidate]:
    """Of those that passed, the worst of each session, check, block, backend and format stands for all; the others stay."""
    groups: dict[tuple[str, ...], list[_Candidate]] = {}
    kept: list[_Candidate] = []
    for one in candidates:
        i = one.item
        if i.verdict == "pass":
            groups.setdefault((i.session, i.check, i.subject, i.backend, i.format), []).append(one)
        else:
            kept.append(one)
    for own in groups.values():
        worst = max(own, key=lambda c: c.item.share)
        kept.append(_Candidate(worst.item, worst.max_abs, len(own) - 1))
    return kept


def _row(one: _Candidate, commands: Commands) -> Row:
    told = visible(one.item.reason or one.item.worst, 2 * TEXT)
    return Row(one.item, number(one.max_abs, none=""), told, commands.of(one.item), one.alike)


def detail(results: Results, budget: int = BUDGET) -> Detail:
    """Rows of all sessions.

    Args:
        budget: bytes that the rows may take; what does not fit is counted.
    """
    every = [one for document in results.documents.values() for one in _candidates(document)]
    order = {id(one): place for place, one in enumerate(every)}
    chosen = every if len(every) <= EACH else _together(every)
    chosen = sorted(chosen, key=lambda c: (not c.item.failed, c.item.verdict == "pass", -c.item.share))
    precision = results.of_check(PRECISION)
    blocks = frozenset(c.subject for c in precision.of(PRECISION)) if precision is not None else frozenset()
    fitting: list[tuple[_Candidate, Row]] = []
    subjects: set[str] = set()
    used, commands = 0, Commands(results)
    for one in chosen:
        row = _row(one, commands)
        used += row.size + (0 if one.item.subject in subjects else GROUP + len(html(one.item.subject).encode()))
        if used > budget:
            break
        subjects.add(one.item.subject)
        fitting.append((one, row))
    shown = len(fitting)
    fitting.sort(key=lambda pair: order.get(id(pair[0]), 0))
    groups: dict[str, SubjectRows] = {}
    for one, row in fitting:
        groups.setdefault(one.item.subject, SubjectRows(one.item.subject, one.item.subject in blocks)).rows.append(row)
    alike = sum(one.alike for one, _ in fitting)
    red_left = sum(one.item.failed for one in chosen[shown:])
    return Detail(list(groups.values()), len(every), alike, len(every) - alike - shown, red_left)
