"""Who is to blame, of several that are red: a leaf before the composite that contains it, what names a block before a property that does not."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TypeVar

from mpcheck.records.record import Record
from mpcheck.records.tensors import Tensors
from mpcheck.sessions.registry import sessions

T = TypeVar("T")
_NUMBER = re.compile(r"(?<=[.@])\d+(?=[.@]|$)")
INNERMOST = {"leaf": 0, "step": 0, "": 0, "composite": 1}
"""Order of kinds of block in which red ones are told: a composite is red when a leaf in it is."""
PROPERTY, NO_RECORD = 2, 3
"""Depth of what names no block; of work without a record."""


def block_checks() -> frozenset[str]:
    """Checks of all sessions whose subject is a block."""
    return frozenset(check for spec in sessions().values() for check in spec.block_checks)


def names_of(records: Iterable[Record]) -> frozenset[str]:
    """Blocks that records speak of: subjects of checks of blocks, and who is blamed by others."""
    checks = block_checks()
    names = {r.subject for r in records if r.check in checks and " " not in r.subject} | {r.block for r in records}
    return frozenset(names - {"", "model"})


def block_of(record: Record, names: Collection[str]) -> str:
    """The block that a record is about, or blames; empty where it names none."""
    return record.subject if record.subject in names else record.block


def depth_of(record: Record, names: Collection[str]) -> int:
    """0 of a leaf or step, 1 of a composite, :data:`PROPERTY` of what names no block."""
    if isinstance(record.detail, Tensors):
        return INNERMOST[record.detail.block]
    if block := block_of(record, names):
        return 1 if any(name.startswith(f"{block}.") for name in names) else 0
    return 0 if "." in record.subject else PROPERTY


def innermost_first(records: Sequence[Record], names: Collection[str]) -> list[Record]:
    """Records by :func:`depth_of`, those of one depth in the order in which they came."""
    return sorted(records, key=lambda r: depth_of(r, names))


def nobody(records: Sequence[Record]) -> str:
    """What must be said where a property is red and no block is: which blocks passed what; empty elsewhere."""
    names = names_of(records)
    depths = [depth_of(r, names) for r in records if r.red]
    if not depths or min(depths) < PROPERTY:
        return ""
    checks, passed, by = block_checks(), set[str](), dict[str, int]()
    for check in dict.fromkeys(r.check for r in records if r.check in checks):
        own = {r.subject for r in records if r.check == check and r.verdict == "pass" and r.subject in names}
        passed |= own
        by |= {check: len(own)} if own else {}
    for record in records:
        number = record.figures.get("blocks")
        if record.verdict == "pass" and record.check not in checks and isinstance(number, float) and number:
            by[record.subject] = max(by.get(record.subject, 0), int(number))
    if not by:
        return "no block is red, and none was judged here: `mpcheck run` judges each"
    number = len(passed) or max(by.values())
    which = "of the model" if not passed or passed == names else "that were judged"
    return f"no block is red: all {number} blocks {which} passed: {', '.join(f'{check} ({n})' for check, n in by.items())}"


def innermost(subject: str, places: Mapping[str, T]) -> tuple[T, bool] | None:
    """What is known of a block, or else of the innermost module around it, and whether it is that one's; None where nothing is.

    Args:
        subject: a block's name; steps (``interactions.0.scatter``) and second calls (``NAME@2``) are in the module that makes them.
        places: by submodule; the model itself has an empty name.
    """
    path, around = subject.partition("@")[0], False
    while path not in places:
        if not path:
            return None
        path, around = path.rpartition(".")[0], True
    return places[path], around


def family(block: str) -> str:
    """A block's name without its numbers: ``interactions.*.conv_tp``; blocks of one family share their code."""
    return _NUMBER.sub("*", block)
