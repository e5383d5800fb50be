"""A comparison for the terminal and as Markdown: how the runs differ, counts, then every change, worst first."""

from __future__ import annotations

from collections.abc import Sequence

from mpcheck._text import markdown as escape
from mpcheck._text import markdown_table, seen_lines, terminal
from mpcheck.history.compare import Change, Comparison, Kind

WORDS: dict[Kind, str] = {
    "new-failure": "new failure", "fixed": "fixed", "moved": "moved beyond noise", "improved": "improved", "latency": "latency",
    "finding": "finding changed",
    "gone": "gone", "new": "new",
}  # fmt: skip
PLURAL: dict[Kind, str] = {
    "new-failure": "new failures", "fixed": "fixed", "moved": "ratios moved beyond noise",
    "improved": "improved", "latency": "latencies or costs moved",
    "finding": "findings changed", "gone": "gone", "new": "new",
}  # fmt: skip
LONGEST = 300  # characters of a detail that are shown


def counts(comparison: Comparison) -> list[str]:
    """What there is of each kind, in words, with what is not listed."""
    told = [f"{n} {PLURAL[kind] if n != 1 or kind in ('latency',) else WORDS[kind]}" for kind, n in comparison.counts.items()]
    rest = (len(comparison.still), "red in both"), (comparison.within, "within noise"), (comparison.identical, "bit-identical")
    return (told or ["nothing changed"]) + [f"{n} {words}" for n, words in rest if n]


def headline(comparison: Comparison) -> str:
    """The verdict in a word, with the counts."""
    return f"{'CHANGED FOR THE WORSE' if comparison.failed else 'NOTHING WORSE'}: {', '.join(counts(comparison))}"


def shown(changes: Sequence[Change], limit: int) -> tuple[Sequence[Change], int]:
    """The first changes, and how many more there are."""
    return changes[:limit], max(0, len(changes) - limit)


def render(comparison: Comparison, limit: int) -> str:
    """Plain text, a change a line.

    Args:
        limit: lines at most; how many are left out is said.
    """
    rows, more = shown(comparison.changes, limit)
    told = (f"base: {comparison.base}", f"head: {comparison.head}", *(f"  {note}" for note in comparison.notes))
    lines = [terminal(line, LONGEST) for line in (*told, *(f"NOT WHOLE: {line}" for line in comparison.broken))]
    lines += [headline(comparison), *(f"{WORDS[c.kind]:18s} {terminal(c.item, LONGEST)}: {terminal(c.detail, LONGEST)}" for c in rows)]
    return "\n".join(lines + ([f"… and {more} more (--limit)"] if more else []))


def markdown(comparison: Comparison, limit: int) -> str:
    """A heading, differences of the runs, and a table of the changes."""
    rows, more = shown(comparison.changes, limit)
    lines = [f"# mpcheck compare: {headline(comparison)}", ""]
    lines += [f"- base: {escape(comparison.base)}", f"- head: {escape(comparison.head)}"]
    lines += [*(f"- {escape(note, LONGEST)}" for note in comparison.notes)]
    lines += [*(f"- **not whole**: {escape(line, LONGEST)}" for line in comparison.broken), ""]
    if rows:
        told = ((WORDS[c.kind], escape(c.item, LONGEST), escape(c.detail, LONGEST)) for c in rows)
        lines += markdown_table(("change", "what", "detail"), told)
    return seen_lines("\n".join(lines + ([f"{more} more.", ""] if more else [])))
