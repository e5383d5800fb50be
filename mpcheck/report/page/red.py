"""What is red: each conclusion with its reason, since when and how to repeat it; and the blocks that they come to."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mpcheck._text import counted, visible
from mpcheck.records.items import Item
from mpcheck.report.figure import figure, nature
from mpcheck.report.page.commands import Commands
from mpcheck.sessions.contract import SessionSpec
from mpcheck.sessions.registry import get

if TYPE_CHECKING:
    from mpcheck.history.gates import GateEntry

LIMIT = SessionSpec.scale
SHOWN = 100
BLOCKS_SHOWN = 40
NAMES_SHOWN = 6


@dataclass(frozen=True)
class Red:
    """One red conclusion.

    Attributes:
        beyond: how far beyond the limit, in words; empty where no ratio says so.
        since: first red commit in words; empty without a history.
        new: not red in the base that was compared with.
    """

    item: Item
    beyond: str
    since: str
    new: bool
    command: str


@dataclass(frozen=True)
class RedBlock:
    """All that is red about one subject."""

    subject: str
    sessions: str
    formats: str
    backends: str
    number: int
    beyond: str
    since: str


def told(item: Item) -> str:
    """Its figure: error over allowed error, of a session whose ratios have another scale the ratio; empty where it has none."""
    if item.ratio is None:
        return ""
    return figure(item.share if get(item.session).scale == LIMIT else item.ratio)


def beyond(item: Item) -> str:
    """``3.2 times the limit``, of a benchmark ``1.2 times the baseline``; empty where the ratio is not what failed."""
    if item.ratio is None or item.share <= 1.0:
        return ""
    scale = get(item.session).scale
    return f"{told(item)} times {scale}" + (nature(item.share) if scale == LIMIT else "")


def since_words(history: Sequence[GateEntry], item: Item) -> str:
    """Since which commit a conclusion is red without a break; empty where there is no history to tell."""
    if not history:
        return ""
    from mpcheck.history.gates import since

    entry, last = since(history, item.id), history[-1]
    if entry is None:
        return f"new: not red at {visible(last.commit, 40)} ({visible(last.date[:10])}), the last entry of the history"
    return f"since {visible(entry.commit, 40)} ({visible(entry.date[:10])})"


def red_rows(commands: Commands, failures: Sequence[Item], history: Sequence[GateEntry], new: Collection[str]) -> list[Red]:
    """The first red conclusions, innermost and worst first, :data:`SHOWN` at most."""
    return [Red(item, beyond(item), since_words(history, item), item.id in new, commands.of(item)) for item in failures[:SHOWN]]


def red_blocks(failures: Sequence[Item], history: Sequence[GateEntry]) -> list[RedBlock]:
    """Red conclusions by what they are about, in the order of :attr:`Results.failures`, :data:`BLOCKS_SHOWN` at most."""
    groups: dict[str, list[Item]] = {}
    for item in failures:
        groups.setdefault(item.subject, []).append(item)
    return [
        RedBlock(
            subject, names(i.session for i in own), names(i.format for i in own), names(i.backend for i in own), len(own),
            beyond(max(own, key=lambda i: i.share if i.ratio is not None else 0.0)), since_words(history, own[0]),
        )
        for subject, own in list(groups.items())[:BLOCKS_SHOWN]
    ]  # fmt: skip


def names(texts: Iterable[str]) -> str:
    """Different names in the order in which they came, a few of them."""
    distinct = [name for name in dict.fromkeys(texts) if name]
    more = f" and {len(distinct) - NAMES_SHOWN} more" if len(distinct) > NAMES_SHOWN else ""
    return ", ".join(visible(name, 60) for name in distinct[:NAMES_SHOWN]) + more


def left_out(total: int, shown: int, what: str) -> str:
    """``12 more … are in the records``; empty where all are shown."""
    return f"{counted(total - shown, 'more ' + what)} in the records." if total > shown else ""
