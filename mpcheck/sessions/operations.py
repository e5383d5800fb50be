"""Which operation of a cell's block rounds more than its format explains, in words and numbers."""

from __future__ import annotations

import math
from pathlib import Path

from mpcheck._errors import InputError
from mpcheck._progress import PROGRESS
from mpcheck._raised import Raised, attempt
from mpcheck._text import near, number
from mpcheck._torch_state import neutral
from mpcheck._unsupported import Unsupported
from mpcheck.adapters.backends.protocol import backends
from mpcheck.checks.precision import CellKey
from mpcheck.formats import FLOAT64, get_format
from mpcheck.judge.operations.found import Found, Replayed
from mpcheck.judge.operations.watch import Seen
from mpcheck.judge.replay import DIRECTIONS
from mpcheck.judge.tolerances import limits_for
from mpcheck.records.record import Record
from mpcheck.sessions.precision.limits import judge_by_limits
from mpcheck.sessions.run import Options, Session

TOLD = 5
"""How many operations the table has."""


def key_of(cell: str) -> CellKey:
    """The cell of a name as records print it: ``SYSTEM/BLOCK-BACKEND-FORMAT-DIRECTION``, with or without the check's name before it.

    Raises:
        InputError: it is no such name, or one of its parts is unknown.
    """
    head, _, direction = cell.removeprefix("precision:").rpartition("-")
    head, _, fmt = head.rpartition("-")
    if direction not in DIRECTIONS or not fmt:
        raise InputError(f"cell {cell!r} is no cell of a precision run; give SYSTEM/BLOCK-BACKEND-FORMAT-DIRECTION as its record prints it")
    known = [name for name in backends() if head.endswith(f"-{name}")]
    if not known:
        raise InputError(f"cell {cell!r}: unknown backend{near(head.rpartition('-')[2], backends())}; choose from {', '.join(backends())}")
    backend = max(known, key=len)
    system, slash, block = head.removesuffix(f"-{backend}").rpartition("/")
    if not slash or not system or not block:
        raise InputError(f"cell {cell!r} names no system or no block; give SYSTEM/BLOCK-BACKEND-FORMAT-DIRECTION as its record prints it")
    return CellKey(system, block, backend, get_format(fmt).name, direction)


def operations(model: str, cell: str, cache: Path | None, seed: int, device: str) -> str:
    """A page of text: the verdict on a cell, and the first operation of its block that errs by more than its own noise scale.

    Raises:
        InputError: unknown names; a cell that cannot run.
    """
    key = key_of(cell)
    options = Options(
        model=model, systems=(key.system,), backends=(key.backend,), formats=(key.format,), blocks=(key.block,), cache=cache, seed=seed,
        device=device, progress=PROGRESS,
    )  # fmt: skip
    session = Session(options)
    if not [b for b in session.blocks(key.system) if b.name == key.block]:
        raise InputError(f"no block {key.block!r} in {model}; `mpcheck blocks {model}` lists them")
    judged = judge_by_limits(session, key)
    PROGRESS.clear()
    if judged.verdict == "unsupported":
        raise InputError(f"cell {cell} is unsupported: {judged.reason}")
    head = f"{judged.id.removeprefix('precision:')}: {judged.verdict}" + (f" ({judged.reason})" if judged.reason else "")
    if not judged.quantities:
        return f"{head}\nthe block gave no results whose operations could be looked at"
    found = attempt(lambda: found_in(session, key, judged))
    if isinstance(found, Raised):
        return f"{head}\noperation by operation it raises {found.text}"
    return "\n".join([head, *page_of(found, key, judged)])


@neutral()
def found_in(session: Session, key: CellKey, judged: Record) -> Found:
    """What the replays of a cell show, operation by operation.

    Args:
        judged: its record, which says what of it is red.
    """
    backend = session.backend(key.backend)
    if isinstance(backend, Unsupported):
        raise InputError(f"backend {key.backend}: {backend}")
    reference = session.library(key.system).get(key.block)
    limits, exact = (limits_for(session.tolerances, key.block, key.backend, fmt, key.direction) for fmt in (key.format, FLOAT64.name))
    replayed = Replayed(backend, reference, get_format(key.format), key.direction, limits, exact)
    failed = {q.name: q.rms_limit or limits.rms for q in judged.quantities if q.failures}
    return replayed.found(failed, "in a later call" in judged.reason)


def page_of(found: Found, key: CellKey, judged: Record) -> list[str]:
    """Lines about what was found in a cell."""
    count = len(found.operations)
    lines = [f"{count} operations, each done again in float64 on the operands that it had"]
    lines += [f"stored: {w.name} errs by {number(w.largest)} roundings of {key.format}; one is allowed" for w in found.stored[:TOLD]]
    if found.first is not None:
        lines += ["first operation whose error exceeds its own noise scale:", *_one(found.first, count)]
        more = sum(bool(o.failures) for o in found.operations) - 1
        lines += [f"{more} more exceed theirs"] if more else []
    elif not found.stored:
        lines += _without(found, judged)
    if found.skipped:
        told = ", ".join(f"{name} ({times})" for name, times in sorted(found.skipped.items()))
        lines.append(f"not looked into: {told}")
    return lines + _table(found.operations)


def _one(one: Seen, count: int) -> list[str]:
    return [
        f"  {one.number} of {count}: {one.name}, {one.place.text}",
        f"  {one.operands or 'no tensors'} -> {one.results}",
        f"  {'; '.join(one.failures)}",
        f"  its own error is {number(one.size)} of its values; with what its operands err by already, {number(one.inherited)}",
    ]


def _without(found: Found, judged: Record) -> list[str]:
    """What is said where no operation errs too much by itself."""
    none = "no operation rounds more than its format explains"
    if not any(q.failures for q in judged.quantities):
        return [none]
    if found.breaking is not None:
        return [f"{none}; the first to make what is not finite of finite operands:", *_one(found.breaking, len(found.operations))]
    if found.random:
        return [f"{none}, but the block draws random numbers: {', '.join(found.random)}"]
    if found.formula:
        return [f"{none}: the formula, an index or a weight differs; without any rounding the block gives another {', '.join(found.formula)}"]
    red = [g for g in found.groups if g.ratio > 0]
    if not red:
        return [none]
    lines = [f"{none} by itself; what operations that are alike add to the results, in units of the block's noise scale:"]
    limits = {q.name: q.rms_limit or math.inf for q in judged.quantities}
    for group in red[:TOLD]:
        beyond = f" > {limits[group.quantity]:.3g}" if group.ratio > limits[group.quantity] else ""
        lines.append(f"  {group.count} x {group.name}, {group.place.text}: {number(group.ratio)}{beyond} of {group.quantity}")
    return lines


def _table(seen: list[Seen]) -> list[str]:
    worst = sorted((o for o in seen if o.rms > 0), key=lambda o: -o.rms / o.rms_limit)[:TOLD]
    if not worst:
        return ["no operation rounds anything"]
    rows = [f"  {o.rms:9.3g} {o.rms_limit:6.3g}  {o.number:5d}  {o.name}, {o.place.text}" for o in worst]
    return ["largest errors of single operations, in units of their noise scales:", "   measured  limit number", *rows]
