"""The Markdown twin: for job summaries and comments. Same order as the page, and never larger than its host takes."""

from __future__ import annotations

from collections.abc import Iterator

from mpcheck._text import counted, fence, markdown, markdown_table, seen_lines, visible
from mpcheck.records.items import Item
from mpcheck.report.figure import figure
from mpcheck.report.page.red import RedCard, left_out, told
from mpcheck.report.page.view import Page
from mpcheck.report.palette import mark

CAPS = (100, 50, 25, 10, 5, 2, 0)
"""Rows of a list that are tried, until the text is small enough."""
COMMANDS = 5
WITHHELD = (
    "No command is given for what names a model, a system or a backend that is neither built in nor named by the repository's own settings: "
    "whoever wrote these records has chosen it."
)
NOTES = 20
LONG = 300
NAME = 100


def _cut(total: int, shown: int, what: str) -> list[str]:
    return [left_out(total, shown, what), ""] if total > shown else []


def _where(item: Item) -> str:
    parts = [f"**{markdown(item.subject, NAME)}**", *(markdown(p, NAME) for p in (item.format, item.backend, item.variant, item.system) if p)]
    return " · ".join(parts)


def _head(page: Page) -> Iterator[str]:
    yield f"# {mark(page.verdict)} {page.verdict}: {markdown(page.title)}"
    yield from ("", markdown(page.sentence, 1200), "")
    if page.remarks:
        yield from (*(f"- {markdown(remark)}" for remark in page.remarks), "")
    yield from (f"Model {markdown(page.model)}, device {markdown(page.device)}, commit {markdown(page.commit)}, {markdown(page.date)}.", "")


def _sessions(page: Page) -> Iterator[str]:
    rows = [
        (s.name, f"{mark(s.word)} {s.word}", ", ".join(f"{n:,} {word}" for word, n in s.counts) or "none", markdown(s.note), f"{s.seconds:.0f} s")
        for s in page.sessions
    ]
    yield from markdown_table(("session", "verdict", "conclusions", "in its own words", "time"), rows, "llllr")


def _red(page: Page, cap: int) -> Iterator[str]:
    if not page.cards:
        return
    yield from ("## What is red", "", "One card a mistake; the figure is error ÷ allowed error: 1 is what is allowed.", "")
    shown = page.cards[: max(1, cap // 2)]
    for place, card in enumerate(shown, 1):
        yield from _card(page, place, card)
    yield from _cut(page.cards_total, len(shown), "card")
    conclusions = [(place, r) for place, card in enumerate(shown, 1) for r in card.rows][: max(1, cap)]
    rows = [
        (str(place), _where(r.item) + (" **new**" if r.new else ""), told(r.item) or "–", markdown(r.item.reason, LONG) or "none given",
         markdown(r.item.worst, LONG) or "–")
        for place, r in conclusions
    ]  # fmt: skip
    yield from markdown_table(("card", "conclusion", "error ÷ allowed", "reason", "worst element"), rows, "rlrll")
    yield from _cut(page.red_total, len(rows), "red conclusion")
    if any(not card.rows[0].command for card in shown):
        yield from (WITHHELD, "")
    commands = [c for c in dict.fromkeys(card.rows[0].command for card in shown) if c][:COMMANDS]
    if commands:
        where = page.repeated_where and f", {page.repeated_where}"
        yield from (f"Repeat them{where}:", "", *(line for command in commands for line in (fence(command), "")))


def _card(page: Page, place: int, card: RedCard) -> Iterator[str]:
    state = " (new against base)" if card.new else " (red in base, too)" if page.comparison is not None else ""
    yield from (f"### ✗ {place}. {markdown(card.title, LONG)}" + (f": {card.beyond}" if card.beyond else "") + state, "")
    red = "; ".join(f"{label} {markdown(text)}" for label, text in card.where)
    facts = [("looks like", markdown(card.card.looks, LONG)), ("red in", f"{red}; {counted(card.number, 'conclusion')}")]
    facts += [("code", markdown(card.card.source, LONG)), ("red because of it", markdown(card.because, LONG)), ("red", markdown(card.since))]
    yield from [*(f"- {name}: {text}" for name, text in facts if text), ""]


def _state(item: Item | None) -> str:
    return "–" if item is None else f"{item.verdict} {told(item)}".strip()


def _changes(page: Page, cap: int) -> Iterator[str]:
    if page.comparison is None:
        return
    yield from ("## What changed against the base", "")
    told = f"{counted(page.comparison.identical, 'conclusion')} identical, {page.comparison.within:,} moved within noise."
    yield from (f"Base: {markdown(page.comparison.base)}. Head: {markdown(page.comparison.head)}. {told}", "")
    yield from [*(f"- {markdown(note)}" for note in page.comparison.notes[:NOTES]), ""]
    for group in page.changes:
        yield from (f"**{markdown(group.title)}: {group.total:,}**", "")
        rows = []
        for change in group.changes[:cap]:
            item = change.after or change.before
            named = _where(item) if item is not None else markdown(change.item, 2 * NAME)
            rows.append((named, _state(change.before), _state(change.after), markdown(change.detail, LONG)))
        yield from markdown_table(("where", "base", "head", "what"), rows) if rows else ()
        yield from _cut(group.total, len(rows), "change")


def _whole(page: Page, cap: int) -> Iterator[str]:
    if not page.whole:
        return
    yield from ("## The whole model", "")
    for one in page.whole:
        yield from (f"{markdown(one.title[:1].upper() + one.title[1:], LONG)}.", "")
        rows = [[markdown(text, NAME) for text in row] for row in one.rows[: 3 * cap]]
        yield from markdown_table(one.head, rows, "ll" + "r" * (len(one.head) - 2)) if rows else ()
        yield from _cut(len(one.rows), len(rows), "row")


def _ratios(page: Page, cap: int) -> Iterator[str]:
    if page.ratios is None:
        return
    means = "The worst of each block: 1 is the limit. ✗ failed, – did not run."
    yield from ("## Error ÷ allowed error, block by block", "", means, "")
    rows = [
        (markdown(block, NAME), markdown(backend, NAME), *(f"**{f.text}**" if f.verdict == "fail" else f.text for f in fields))
        for block, backend, fields in page.ratios.rows[: 3 * cap]
    ]
    formats = [markdown(f, NAME) for f in page.ratios.formats]
    yield from markdown_table(("block", "backend", *formats), rows, "ll" + "r" * len(formats)) if rows else ()
    yield from _cut(page.ratios.total, len(rows), "row")
    yield from [f"{counted(page.ratios.formats_left, 'more format')} in the records.", ""] if page.ratios.formats_left else []
    spread = [(markdown(name, NAME), figure(a), figure(b), figure(c)) for name, a, b, c in page.spread]
    yield from markdown_table(("detail: error ÷ noise scale of all tensors", "median", "95 %", "largest"), spread, "lrrr") if spread else ()


def _latency(page: Page, cap: int) -> Iterator[str]:
    if not page.latencies_total:
        return
    yield from ("## Latency", "")
    rows = [
        (*(markdown(t, NAME) for t in (row.subject, row.backend, row.format, row.work, row.decision)), row.effect, row.milliseconds)
        for row in page.latencies[:cap]
    ]
    yield from markdown_table(("block", "backend", "format", "work", "decision", "effect [95 %]", "ms, base → head"), rows, "lllllrr") if rows else ()
    yield from _cut(page.latencies_total, len(rows), "benchmark")


def _asides(page: Page, cap: int) -> Iterator[str]:
    if page.asides:
        yield from ("## Neither red nor green", "")
    for aside in page.asides:
        yield f"- **{markdown(aside.verdict)}**: {aside.number:,}. {aside.meaning}"
        shown = aside.reasons[:cap]
        yield from (f"  - {r.number:,} × {markdown(r.text, LONG)} ({markdown(r.where)})" for r in shown)
        left = aside.left + len(aside.reasons) - len(shown)
        yield from [f"  - {counted(left, 'more reason')} in the records."] if left else []
    yield ""


def _facts(page: Page, cap: int) -> Iterator[str]:
    yield from ("## Environment and provenance", "")
    for facts in page.facts:
        shown = facts.rows[:cap]
        left = facts.left + len(facts.rows) - len(shown)
        told = "; ".join(f"{markdown(name)} {markdown(value, LONG)}" for name, value in shown)
        yield f"- **{facts.title}**: {told}" + (f" ({counted(left, 'more field')} in the records)" if left else "")


def twin(page: Page, limit_bytes: int) -> str:
    """The page as Markdown of at most so many bytes; lists are cut until it fits, and what was cut is counted."""
    for cap in CAPS:
        parts = (
            _red(page, cap), _changes(page, cap), _sessions(page), *(part(page, cap) for part in (_whole, _ratios, _latency, _asides, _facts))
        )  # fmt: skip
        text = seen_lines("\n".join([*_head(page), *(line for part in parts for line in part)])) + "\n"
        if len(text.encode()) <= limit_bytes:
            return text
    return _shortest(page, limit_bytes)


def _shortest(page: Page, limit_bytes: int) -> str:
    """The verdict alone, for a host that takes next to nothing."""
    text = "\n".join((*_head(page), "There is no room for more here; the records and the HTML report have it.")) + "\n"
    if len(text.encode()) <= limit_bytes:
        return text
    return f"{visible(page.verdict)}\n"
