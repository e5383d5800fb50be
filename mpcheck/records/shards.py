"""One session on several machines: which part of the work is whose, and how rows find their places again.

Pure arithmetic: every process that sees the same work divides it alike, so that nobody need tell the others.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from mpcheck._errors import InputError

Row = TypeVar("Row")
SHARD, ROWS, RECORDS = "shard", "shard_rows", "records"
"""Options in the records of a part: which one it is, and where its rows stand in the whole session; and what it calls them."""


@dataclass(frozen=True)
class Shard:
    """Part ``number`` of ``of``, counted from 1."""

    number: int
    of: int

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


def parse_shard(text: str, where: str = "--shard") -> Shard:
    """``2/3`` as typed, or as records say.

    Args:
        where: it comes from, for the error.

    Raises:
        InputError: not two whole numbers, or not one of so many parts.
    """
    match = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise InputError(f"{where} {text[:40]!r}: expected K/N, part K of N with K from 1 to N, e.g. 1/4")
    return Shard(int(match[1]), int(match[2]))


def normalised(texts: Sequence[str]) -> str:
    """``K/N`` as records have it, of what was typed last.

    Raises:
        InputError: see :func:`parse_shard`.
    """
    return str(parse_shard(texts[-1]))


def divide(groups: Sequence[str | None], of: int, weights: Sequence[float] = ()) -> list[int]:
    """The part (from 1) that each piece of work belongs to.

    A group stays together: its pieces share a reference that takes longer to build than they take. The heaviest group goes first, each
    to the part that has least so far, which leaves no part empty and none with more than 4/3 of what the best division would give it
    (Graham 1969). What belongs to no group goes to the first part.

    Args:
        groups: of every piece of the whole session, in its order. weights: what each piece takes beside the others, above zero; by default alike.

    Raises:
        InputError: more parts than groups: some would have nothing to do.
    """
    sizes: dict[str, float] = {}
    for group, weight in zip(groups, weights or [1.0] * len(groups), strict=True):
        if group is not None:
            sizes[group] = sizes.get(group, 0.0) + weight
    if of > len(sizes):
        most = len(sizes)
        raise InputError(f"--shard: {of} parts are too many for {most} groups that stay together; choose K/N with N at most {most}")
    loads = [0.0] * of
    places: dict[str, int] = {}
    for group, size in sorted(sizes.items(), key=lambda item: -item[1]):  # of equal ones in their order
        place = loads.index(min(loads))
        places[group] = place + 1
        loads[place] += size
    return [1 if group is None else places[group] for group in groups]


def by_first_seen(rows: Iterable[Row], key: Callable[[Row], object]) -> list[Row]:
    """Rows with equal keys together, keys in the order in which they first occur: how sessions order their findings, by check."""
    rows = list(rows)
    order = {name: place for place, name in enumerate(dict.fromkeys(map(key, rows)))}
    return sorted(rows, key=lambda row: order[key(row)])


def runs(places: Iterable[int]) -> list[str]:
    """Places of rows as text, short where they follow one another: ``4-9:1`` is one row each at 4 to 9, ``7-7:3`` three at 7."""
    counted = [(place, len(list(same))) for place, same in itertools.groupby(places)]
    stretches: list[list[int]] = []
    for place, count in counted:
        if stretches and stretches[-1][1] == place - 1 and stretches[-1][2] == count:
            stretches[-1][1] = place
        else:
            stretches.append([place, place, count])
    return [f"{first}-{last}:{count}" for first, last, count in stretches]


def places(texts: object, rows: int, where: str) -> list[int]:
    """What :func:`runs` wrote, one place a row.

    Args:
        texts: as read from a file of anybody's.
        rows: how many there must be.

    Raises:
        InputError: something else, or places of another number of rows.
    """
    wrong = InputError(f"{where}: expected the places of {rows} rows, as a part of a session says them; run that part again")
    numbers: list[int] = []
    if not isinstance(texts, (list, tuple)):
        raise wrong
    for text in texts:
        match = re.fullmatch(r"([0-9]{1,9})-([0-9]{1,9}):([0-9]{1,9})", text) if isinstance(text, str) else None
        if match is None:
            raise wrong
        first, last, count = (int(x) for x in match.groups())
        if last < first or count < 1 or (last - first + 1) * count > rows - len(numbers):  # before anything is made of it
            raise wrong
        numbers += [place for place in range(first, last + 1) for _ in range(count)]
    if len(numbers) != rows:
        raise wrong
    return numbers
