"""All that the report says, once; the HTML page and its Markdown twin only show it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mpcheck._errors import InputError
from mpcheck._names import COST
from mpcheck._text import visible
from mpcheck.records.accounts import narrowing
from mpcheck.records.read import Results
from mpcheck.records.reproduce import repeated_where
from mpcheck.report.cards import cards
from mpcheck.report.page.aside import Aside, asides
from mpcheck.report.page.commands import Commands
from mpcheck.report.page.pinned import Pinned
from mpcheck.report.page.provenance import Facts, known, moment, provenance
from mpcheck.report.page.red import RedCard, red_cards
from mpcheck.report.page.tables import ChangeGroup, Moved, Ratios, Whole, change_groups, latencies, ratio_table, spread, whole_tables
from mpcheck.report.page.verdict import SessionLine, sentence, session_lines

if TYPE_CHECKING:
    from mpcheck.history.compare import Comparison
    from mpcheck.history.gates import GateEntry

TITLE = "mpcheck"
MOST = 20  # remarks of a gate
UNFINISHED = "Not every session came to a verdict. "


@dataclass(frozen=True)
class Judgement:
    """What a gate decided over its sessions' records.

    Attributes:
        verdict: a word of :data:`mpcheck.records.outcome.WORDS`, which the records alone may not say: a session may have come to none.
        remarks: why, a line each.
    """

    verdict: str
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Page:
    """What a report says, in the order in which it says it. ``…_total`` count what was cut from the list before."""

    title: str
    verdict: str
    sentence: str
    remarks: list[str]
    model: str
    device: str
    commit: str
    date: str
    mpcheck: str
    sessions: list[SessionLine]
    cards: list[RedCard]
    cards_total: int
    red_total: int
    repeated_where: str
    whole: list[Whole]
    comparison: Comparison | None
    changes: list[ChangeGroup]
    ratios: Ratios | None
    spread: list[tuple[str, float, float, float]]
    latencies: list[Moved]
    latencies_total: int
    timed: bool
    history: int
    asides: list[Aside]
    facts: list[Facts]


def own_remarks(results: Results) -> list[str]:
    """What stands at the top because it limits every verdict below: records that are not whole, and what a run left out."""
    left = (f"{name}: {narrowing(document)}" for name, document in results.documents.items() if document.narrowed)
    return [*(f"not whole: {line}" for line in results.disorder), *left]


def page_of(
    results: Results,
    comparison: Comparison | None = None,
    history: Sequence[GateEntry] = (),
    title: str = TITLE,
    judgement: Judgement | None = None,
    pinned: Pinned | None = None,
) -> Page:
    """Collect what a report says. A gate's judgement goes before what the records say by themselves.

    Args:
        pinned: names that commands may hold; None for any.

    Raises:
        InputError: the records hold no conclusion at all.
    """
    if not results.items:
        named = ", ".join(str(path) for path in results.files) or "these records"
        raise InputError(f"records {named}: no cells and no findings, so there is nothing to report; run the sessions again")
    failures = results.failures
    new = {change.item for change in comparison.changes if change.kind == "new-failure"} if comparison is not None else set()
    found = cards(results, new)
    shown = red_cards(found, Commands(results, pinned), history, new)
    moved, moved_total = latencies(results)
    first = results.first
    unfinished = judgement is not None and judgement.verdict in ("FAIL", "CRASHED") and not failures
    return Page(
        title=visible(title, 200), verdict=judgement.verdict if judgement is not None else results.verdict,
        sentence=(UNFINISHED if unfinished else "") + sentence(results, failures, shown, len(found)),
        remarks=[visible(r) for r in (*(judgement.remarks if judgement is not None else ()), *own_remarks(results))][:MOST],
        model=visible(first.model.name, 200), device=visible(first.environment.device_name, 120),
        commit=known(first.environment.commit), date=moment(first.environment), mpcheck=visible(first.mpcheck, 40),
        sessions=session_lines(results), cards=shown, cards_total=len(found), red_total=len(failures),
        repeated_where=repeated_where(first), whole=whole_tables(results),
        comparison=comparison, changes=change_groups(comparison),
        ratios=ratio_table(results.items), spread=spread(results), latencies=moved, latencies_total=moved_total,
        timed=results.of_check(COST) is not None, history=len(history),
        asides=asides(results.items), facts=provenance(results),
    )  # fmt: skip
