"""What is red: a card a mistake, with every conclusion, its reason, since when and how to repeat it."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mpcheck._text import counted, visible
from mpcheck.records.items import Item
from mpcheck.report.cards import Card
from mpcheck.report.figure import ALLOWED, figure
from mpcheck.report.figure import beyond as times
from mpcheck.report.page.commands import Commands
from mpcheck.sessions.registry import get

if TYPE_CHECKING:
    from mpcheck.history.gates import GateEntry

SHOWN = 100
CARDS_SHOWN = 30
NAMES_SHOWN = 6
WHERE = (
    ("format", "format"),
    ("backend", "backend"),
    ("direction or variant", "variant"),
    ("system", "system"),
    ("found by", "session"),
    ("check", "check"),
)
"""What a card says of where its mistake shows."""


@dataclass(frozen=True)
class Red:
    """One red conclusion.

    Attributes:
        beyond: how far beyond what is allowed, in words; empty where no ratio says so.
        since: first red commit in words; empty without a history.
        new: not red in the base that was compared with.
        command: that repeats it.
        behind: red because of the block of its card, which it contains or is a property of.
    """

    item: Item
    beyond: str
    since: str
    new: bool
    command: str
    behind: bool = False


@dataclass(frozen=True)
class RedCard:
    """One mistake, as a reader sees it.

    Attributes:
        card: see :class:`mpcheck.report.cards.Card`.
        title: the blocks that have it; beyond: the worst of it; at: place of that on a scale of twenty steps, see :func:`step`, None without.
        where: what shows it: formats, backends, directions, systems, sessions, by what they are.
        because: what is red because of it; empty where nothing is.
        rows: its conclusions, worst first, as many as there is room for.
    """

    card: Card
    title: str
    beyond: str
    at: int | None
    where: list[tuple[str, str]]
    because: str
    since: str
    new: bool
    rows: list[Red]

    @property
    def number(self) -> int:
        """How many conclusions are red because of it."""
        return len(self.card.items)


def told(item: Item) -> str:
    """Its figure: error over allowed error, of a session whose ratios have another scale the ratio; empty where it has none."""
    if item.ratio is None:
        return ""
    return figure(item.share if get(item.session).scale == ALLOWED else item.ratio)


def beyond(item: Item) -> str:
    """``3.2 times what is allowed``, of a benchmark ``1.2 times the baseline``; empty where the ratio is not what failed."""
    if item.ratio is None or item.share <= 1.0:
        return ""
    scale = get(item.session).scale
    return times(item.share, scale) if scale == ALLOWED else f"{told(item)} times {scale}"


def since_words(history: Sequence[GateEntry], item: Item) -> str:
    """Since which commit a conclusion is red without a break; empty where there is no history to tell."""
    if not history:
        return ""
    from mpcheck.history.gates import since

    entry, last = since(history, item.id), history[-1]
    if entry is None:
        return f"new: not red at {visible(last.commit, 40)} ({visible(last.date[:10])}), the last entry of the history"
    return f"since {visible(entry.commit, 40)} ({visible(entry.date[:10])})"


def step(share: float) -> int:
    """Place of error over allowed error on a logarithmic scale: 4 is 1, what is allowed, and nothing beyond it stands there; 20 is ten thousand
    times it, and more.
    """
    if not 0 < share < float("inf"):
        return 20 if share else 0
    place = round(4 * math.log10(share)) + 4
    return max(5 if share > 1 else 0, min(20, place))


def red_cards(found: Sequence[Card], commands: Commands, history: Sequence[GateEntry], new: Collection[str], most: int = SHOWN) -> list[RedCard]:
    """The first :data:`CARDS_SHOWN` cards with ``most`` conclusions together; each has the one to begin with."""
    shown, left = [], most
    for card in found[:CARDS_SHOWN]:
        own = [(i, False) for i in card.own] + [(i, True) for i in card.behind]
        room = max(1, left)
        rows = [Red(i, beyond(i), since_words(history, i), i.id in new, commands.of(i), behind) for i, behind in own[:room]]
        left -= len(rows)
        shown.append(_shown(card, rows, any(i.id in new for i in card.items)))
    return shown


def _shown(card: Card, rows: list[Red], new: bool) -> RedCard:
    first = card.worst
    where = [(label, names(card.names(what))) for label, what in WHERE if what != "check" or card.names(what) != card.names("session")]
    about = names(dict.fromkeys(i.subject or i.check for i in card.behind))
    because = f"{about} ({counted(len(card.behind), 'conclusion')})" if card.behind else ""
    measured = first.ratio is not None and get(first.session).scale == ALLOWED
    return RedCard(
        card, names(card.blocks), beyond(first), step(first.share) if measured else None, [pair for pair in where if pair[1]], because,
        rows[0].since, new, rows,
    )  # fmt: skip


def names(texts: Iterable[str]) -> str:
    """Different names in the order in which they came, a few of them."""
    distinct = [name for name in dict.fromkeys(texts) if name]
    more = f" and {len(distinct) - NAMES_SHOWN} more" if len(distinct) > NAMES_SHOWN else ""
    return ", ".join(visible(name, 60) for name in distinct[:NAMES_SHOWN]) + more


def left_out(total: int, shown: int, what: str) -> str:
    """``12 more … are in the records``; empty where all are shown."""
    return f"{counted(total - shown, 'more ' + what)} in the records." if total > shown else ""
