"""One mistake, one card: what is red, grouped by the block that has it.

A block that merely contains the faulty one is red because of it. Twins are one mistake: the same code in another layer, on another system
or backend, in another format or direction. Where many kinds of block are red alike it is what they share. A property of the whole model goes
with the block that is red beside it. Everything stays listed in its card.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from mpcheck._names import BENCH, GOLDEN, PRECISION, REFERENCE_BACKEND
from mpcheck.records.attribution import PROPERTY, family, innermost
from mpcheck.records.items import Item
from mpcheck.records.read import Results
from mpcheck.records.record import first_changed
from mpcheck.records.verdicts import MISSING
from mpcheck.report.likeness import likeness

SHARED = 3
"""Kinds of block that are red alike, from which on it is what they share."""
TIMED = frozenset(BENCH)


@dataclass(frozen=True)
class Card:
    """One mistake.

    Attributes:
        subject: the block to look at, innermost and worst; or the property, where no block is to blame.
        blocks: all that have it, ``subject`` first; kinds: how many kinds of block those are.
        is_block: whether ``subject`` is a block.
        own: conclusions about ``blocks``, worst first; behind: about what contains them, or shows them.
        looks: what kind of mistake it looks like. source: where the block's class is written; empty where that is not known.
    """

    subject: str
    blocks: list[str]
    kinds: int
    is_block: bool
    own: list[Item]
    behind: list[Item]
    looks: str
    source: str

    @property
    def items(self) -> list[Item]:
        """All that is red because of it."""
        return [*self.own, *self.behind]

    @property
    def worst(self) -> Item:
        """The conclusion to begin with."""
        return self.own[0]

    def names(self, what: str) -> list[str]:
        """Backends, formats, variants, systems, sessions or checks that show it, in the order in which they came."""
        return [name for name in dict.fromkeys(getattr(i, what) for i in self.own) if name]


@dataclass
class _Group:
    """Conclusions about one block, and then about all blocks of one mistake."""

    blocks: list[str]
    own: list[Item] = field(default_factory=list)
    behind: list[Item] = field(default_factory=list)

    def take(self, other: _Group) -> None:
        self.blocks += other.blocks
        self.own += other.own
        self.behind += other.behind

    @property
    def place(self) -> tuple[int, bool, float]:
        """Order of cards: what names a block, a figure before a time, the worst."""
        return min((i.depth, i.check in TIMED, -i.share) for i in self.own)


def cards(results: Results, new: Collection[str] = ()) -> list[Card]:
    """What is red, a card a mistake: those that name a block first, innermost and worst.

    Args:
        new: ids of what is not red in the base that was compared with; their cards come first.
    """
    code = _code(results)
    blocks, rest = _by_block(results)
    _contained(blocks)
    groups = _alike(list(blocks.values()), code)
    groups = _sharing(groups)
    for item in rest:
        _lay(groups, item)
    places = {id(item): place for place, item in enumerate(results.items)}
    for group in groups:
        if group.own[0].depth >= PROPERTY:  # figures of different properties have no common measure: a session tells the plainest first
            group.own.sort(key=lambda i: (i.verdict == MISSING, places[id(i)]))
            continue
        group.own.sort(
            key=lambda i: (
                i.verdict == MISSING,
                i.check in TIMED,
                i.depth,
                i.check == GOLDEN,
                i.check != PRECISION,
                -i.share,
                i.backend != REFERENCE_BACKEND,
                i.id,
            )
        )
        group.behind.sort(key=lambda i: (i.depth, -i.share, i.id))
    groups.sort(key=lambda g: (bool(new) and not any(i.id in new for i in (*g.own, *g.behind)), g.place))
    judged: dict[str, list[Item]] = {}
    for item in results.items:
        judged.setdefault(item.block or item.subject, []).append(item)
    return [_card(group, judged, code) for group in groups]


def _card(group: _Group, judged: Mapping[str, list[Item]], code: Mapping[str, str]) -> Card:
    first = group.own[0]
    subject = _block(first) or first.subject or first.check
    every = list(dict.fromkeys([subject, *(_block(i) or i.subject or i.check for i in group.own)]))
    beside = [item for name in every for item in judged.get(name, ())]
    kinds, is_block = len({family(name) for name in every}), bool(_block(first))
    looks = likeness(group.own, beside)
    if is_block and kinds >= SHARED:
        looks += f"; {kinds} kinds of block are red alike: look at what they share"
    return Card(subject, every, kinds, is_block, group.own, group.behind, looks, _source(group.own, subject, code) if is_block else "")


def _source(own: Sequence[Item], subject: str, code: Mapping[str, str]) -> str:
    """Where the block is written, as far as the reference's code has it: where only another backend is red, that has a class of its own."""
    if not any(i.backend in ("", REFERENCE_BACKEND) for i in own):
        return ""
    found = innermost(subject, code)
    if found is None:
        return ""
    place, inside = found
    return f"{place}.forward" if not inside else f"called in {place}.forward"


def _code(results: Results) -> dict[str, str]:
    return {name: text for document in results.documents.values() for name, text in document.model.code.items()}


def _block(item: Item) -> str:
    return "" if item.depth >= PROPERTY or item.block == "model" else item.block or (item.subject if item.verdict != MISSING else "")


def _by_block(results: Results) -> tuple[dict[str, _Group], list[Item]]:
    """Red conclusions by the block that they name, and those that name none.

    Golden values are computed one from the other: what changed first has changed all that comes behind.
    """
    golden = [r for d in results.documents.values() for r in d.records if r.check == GOLDEN]
    changed = first_changed(golden)
    groups: dict[str, _Group] = {}
    rest = []
    for item in results.failures:
        block = changed if item.check == GOLDEN and changed else _block(item)
        if not block:
            rest.append(item)
            continue
        group = groups.setdefault(block, _Group([block]))
        (group.own if _block(item) == block else group.behind).append(item)
    return groups, rest


def _contained(groups: dict[str, _Group]) -> None:
    """Move what is red because a block inside it is, in the same format, behind that block; in a format in which nothing inside is red it is
    a mistake of its own.
    """
    for outer in sorted(groups, key=len):
        inside = [groups[name] for name in groups if name.startswith(f"{outer}.")]
        for item in list(groups[outer].own) if inside else ():
            because = [g for g in inside if any(_explains(i, item) for i in g.own)]
            if because:
                groups[outer].own.remove(item)
                max(because, key=lambda g: max(i.share for i in g.own)).behind.append(item)
        if not groups[outer].own and inside:
            inside[0].behind += groups[outer].behind
    for name in [name for name, group in groups.items() if not group.own]:
        del groups[name]


def _explains(inner: Item, outer: Item) -> bool:
    return (inner.check in TIMED) == (outer.check in TIMED) and (not inner.format or not outer.format or inner.format == outer.format)


def _alike(groups: Sequence[_Group], code: Mapping[str, str]) -> list[_Group]:
    """Blocks of one family, or of one class, together."""
    together: dict[str, _Group] = {}
    for group in groups:
        block = group.blocks[0]
        keys = [family(block), *([code[block]] if block in code else [])]
        known = [together[key] for key in keys if key in together]
        into = known[0] if known else group
        for other in known[1:]:
            if other is not into:
                into.take(other)
                together = {key: into if value is other else value for key, value in together.items()}
        if into is not group:
            into.take(group)
        together.update(dict.fromkeys(keys, into))
    return list({id(group): group for group in together.values()}.values())


def _sharing(groups: Sequence[_Group]) -> list[_Group]:
    """Groups that are red alike, as one where they are many: it is the format, the conversion or the library that they share."""
    by: dict[tuple[object, ...], list[_Group]] = {}
    for group in groups:
        formats, backends = ({getattr(i, what) for i in group.own} for what in ("format", "backend"))
        by.setdefault((frozenset(formats), frozenset(backends), {i.check in TIMED for i in group.own} == {True}), []).append(group)
    kept = []
    for alike in by.values():
        first, *others = sorted(alike, key=lambda g: g.place)
        if len(alike) < SHARED:
            kept += alike
            continue
        for other in others:
            first.take(other)
        kept.append(first)
    return kept


def _lay(groups: list[_Group], item: Item) -> None:
    """Put a property of the whole model with the first block that may make it red; without one with the other properties of its session."""
    if item.verdict != MISSING:
        for group in groups:
            if group.own[0].depth < PROPERTY and any(_explains(i, item) for i in group.own):
                group.behind.append(item)
                return
    for group in groups:
        if (
            group.own[0].depth >= PROPERTY
            and group.own[0].session == item.session
            and (group.own[0].verdict == item.verdict or MISSING not in (group.own[0].verdict, item.verdict))
        ):
            group.own.append(item)
            return
    groups.append(_Group([item.subject or item.check], [item]))
