"""Base against head of the same sessions: what newly fails, what moved, what is gone."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isinf
from typing import Literal, get_args

from mpcheck._errors import InputError
from mpcheck._names import POLICIES, PRECISION
from mpcheck._text import number
from mpcheck.history.movement import MANY, REFERENCE, SHARE, beyond, distance, grown, starting, unjudged_effect, worth_telling
from mpcheck.history.policies import policy_moved
from mpcheck.records.items import Item, item_of, lost_items
from mpcheck.records.read import Results
from mpcheck.records.record import Record
from mpcheck.records.same import heads_differ, label
from mpcheck.records.tensors import Quantity, share
from mpcheck.records.verdicts import CONCLUDED
from mpcheck.sessions.registry import get, sessions

Kind = Literal["new-failure", "fixed", "moved", "improved", "latency", "finding", "gone", "new"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""In the order in which they are told."""
RED: tuple[Kind, ...] = ("new-failure", "moved", "gone")
"""What a comparison fails for. Latency is judged by the bench session, other sessions' figures by their own limits."""
CALLED = ("slower", "faster")


@dataclass(frozen=True)
class Change:
    """One conclusion that is not the same in both.

    Attributes:
        kind: ``moved`` is a rounding ratio that has grown, ``improved`` one that shrank,
            ``latency`` anything of the bench session, ``finding`` one of the other sessions.
        item: its id; before, after: the two rows, None where there is none; detail: what changed, in words.
        slight: of a ratio that grew by no more than other sound code makes it grow, which one cell alone does not tell from a fault.
    """

    kind: Kind
    item: str
    before: Item | None
    after: Item | None
    detail: str
    slight: bool = False

    @property
    def size(self) -> float:
        """How far its share of the limit moved; infinite where it is there on one side only."""
        return abs(self.after.share - self.before.share) if self.before and self.after and self.before.share != self.after.share else 0.0


@dataclass(frozen=True)
class Comparison:
    """Everything that two runs of the same model have in common, and what not.

    Attributes:
        base, head: what they are, in words.
        changes: worst first; see :data:`KINDS`.
        identical: conclusions whose figures are the same, for cells bit by bit; within: those that moved within noise.
        still: ids of what is red in both.
        notes: how the runs differ themselves: device, versions, options, sessions that only one has.
        broken: why the records of a side are not whole: what is not there cannot be compared.
    """

    base: str
    head: str
    changes: list[Change]
    identical: int
    within: int = 0
    still: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        """Whether something newly fails, a rounding ratio grew beyond noise, something is gone, or a side's records are not whole."""
        return bool(self.broken) or any(change.kind in RED for change in self.changes)

    @property
    def grown(self) -> int:
        """Ratios that grew so that a gate is red: by more than other sound code makes them grow, or by less in many cells at once."""
        moved, improved = ([c for c in self.changes if c.kind == kind] for kind in ("moved", "improved"))
        many = len(moved) >= max(MANY, SHARE * (len(moved) + len(improved) + self.within)) and len(moved) > 2 * len(improved)
        return len(moved) if many else sum(not change.slight for change in moved)

    @property
    def counts(self) -> dict[Kind, int]:
        """Changes by kind, in the order in which they are told."""
        return {kind: n for kind in KINDS if (n := sum(change.kind == kind for change in self.changes))}


def compare(base: Results, head: Results) -> Comparison:
    """Every conclusion of both.

    Sessions that only one side has are named, not compared; but decisions of a session that itself measures base against head
    are taken from the head alone where the base has none.

    Raises:
        InputError: records of different models, which are named; no session in common.
    """
    ours, theirs = base.first.model, head.first.model
    if ours.digest != theirs.digest:
        raise InputError(
            f"base and head are of different models: {ours.name} ({ours.digest[:12]}) and {theirs.name} ({theirs.digest[:12]}) differ in "
            "weights or architecture; give two runs of one model"
        )
    alone = [name for name in head.documents if get(name).against and name not in base.documents]  # they tell of both sides
    shared = [session for session in sessions() if session in base.documents and session in head.documents]
    if not shared and not alone:
        sides = " and ".join(", ".join(side.documents) for side in (base, head))
        raise InputError(f"base and head have no session in common: {sides}; give records of the same sessions")
    changes: list[Change] = []
    identical = within = 0
    still: list[str] = []
    for session in [*shared, *alone]:
        old, new = _rows(base, session), _rows(head, session)
        for name, (after, row) in new.items():
            before, was = old.get(name, (None, None))
            still += [name] if before and before.failed and after.failed else []
            change = _measured_alone(after, row) if session not in shared else _change(before, was, after, row)
            if change is not None:
                changes.append(change)
            elif before is not None and _same(was, row):
                identical += 1
            else:
                within += 1
        changes += [Change("gone", name, before, None, f"was {before.verdict}") for name, (before, _) in old.items() if name not in new]
        lost = lost_items(head.documents[session])
        changes += [Change("new-failure", item.id, None, item, _verdict(item)) for item in lost if item.id not in old]
    order = {kind: place for place, kind in enumerate(KINDS)}
    changes.sort(key=lambda c: (order[c.kind], -c.size, c.item))
    broken = [f"{side} {line}" for side, results in (("base", base), ("head", head)) for line in results.disorder]
    return Comparison(label(base), label(head), changes, identical, within, still, heads_differ(base, head), broken)


def _rows(results: Results, session: str) -> dict[str, tuple[Item, Record]]:
    """A session's conclusions with their records, by id."""
    document = results.documents.get(session)
    return {(item := item_of(session, record)).id: (item, record) for record in document.records} if document is not None else {}


def _change(before: Item | None, was: Record | None, after: Item, row: Record) -> Change | None:
    """What is to be told of a row of the head; None of one that did not change beyond noise."""
    if before is None:
        return Change("new-failure" if after.failed else "new", after.id, None, after, _verdict(after))
    if after.failed != before.failed or after.verdict != before.verdict:
        return _verdict_changed(before, was, after, row)
    if was is not None and row.check == PRECISION:
        return _cell_moved(before, was, after, row)
    if was is not None and row.check in POLICIES:
        told = policy_moved(was, row)
        return Change(told[0], after.id, before, after, told[1]) if told is not None else None
    how = get(after.session).compared
    if was is not None and how == "latencies":
        return _latency(before, was, after, row)
    if how == "nothing" or not beyond(before.ratio, after.ratio):
        return None
    kind: Kind = _direction(before.ratio, after.ratio) if how == "ratios" else "finding"
    if kind != "moved" or beyond(starting(before.ratio, before.format), after.ratio):
        slight = kind == "moved" and not grown(starting(before.ratio, before.format), after.ratio)
        return Change(kind, after.id, before, after, _shares(before.share, after.share, before.ratio, after.ratio), slight)
    return None


def _verdict_changed(before: Item, was: Record | None, after: Item, row: Record) -> Change | None:
    detail = f"{before.verdict} -> {_verdict(after)}"
    if after.failed:
        return Change("new-failure", after.id, before, after, detail + (f"; {after.worst}" if after.worst else ""))
    if before.failed and after.verdict == "pass":
        return Change("fixed", after.id, before, after, detail + (f" (was: {before.reason})" if before.reason else ""))
    lost = before.verdict in CONCLUDED and after.verdict not in CONCLUDED
    how = get(after.session).compared
    if was is not None and how == "latencies":
        return Change("gone", after.id, before, after, detail) if after.verdict in ("unsupported", "removed") else _latency(before, was, after, row)
    if how in ("ratios", "nothing"):
        return Change("gone" if lost else "new", after.id, before, after, detail)
    if lost and after.verdict == "unsupported":  # not `inconclusive`, which chance decides
        return Change("gone", after.id, before, after, detail)
    return Change("finding", after.id, before, after, detail)


def _cell_moved(before: Item, was: Record, after: Item, row: Record) -> Change | None:
    """Tensor by tensor: the ones that moved beyond noise, else those that only one side has."""
    old, new = ({q.name: q for q in cell.quantities} for cell in (was, row))
    start = {n: starting(q.rms, was.format) for n, q in old.items()}
    apart = [(n, old[n], q) for n, q in new.items() if n in old and not _bits(old[n], q)]
    larger = [(distance(start[n], q.rms), n, a, q) for n, a, q in apart if beyond(start[n], q.rms) and _direction(start[n], q.rms) == "moved"]
    shrunk = [(distance(a.rms, q.rms), n, a, q) for n, a, q in apart if beyond(a.rms, q.rms) and _direction(a.rms, q.rms) == "improved"]
    kinds: list[tuple[Kind, list[tuple[float, str, Quantity, Quantity]]]] = [("moved", larger), ("improved", shrunk)]
    for kind, moved in kinds:
        if moved:
            slight = kind == "moved" and not any(grown(start[n], q.rms) for _, n, _, q in moved)
            _, name, a, b = max(moved, key=lambda entry: entry[:2])
            largest = " -> ".join(number(x, none="not finite") for x in (a.max_abs, b.max_abs))
            more = f" (and {len(moved) - 1} more tensors)" if len(moved) > 1 else ""
            exact = "; now the reference's very value: is it computed in this format?" if b.rms == 0 and was.format != REFERENCE else ""
            return Change(
                kind,
                after.id,
                before,
                after,
                f"{name}: {_shares(share(a.rms, a.rms_limit), share(b.rms, b.rms_limit), a.rms, b.rms)}, max_abs {largest}{more}{exact}",
                slight,
            )
    lost, come = [n for n in old if n not in new], [n for n in new if n not in old]
    if lost:
        return Change("gone", after.id, before, after, f"judged no longer: {', '.join(lost)}")
    return Change("new", after.id, before, after, f"judged now: {', '.join(come)}") if come else None


def _direction(before: float | None, after: float | None) -> Kind:
    """``improved`` only of a ratio that is smaller, and finite."""
    return "improved" if after is not None and (before is None or after < before) else "moved"


def _latency(before: Item, was: Record, after: Item, row: Record) -> Change | None:
    """What the session itself called; of what it did not judge, the effect of the medians, or of the counts."""
    decision = row.latency.decision
    if decision is not None:
        called = decision in CALLED and decision != was.latency.decision
        return Change("latency", after.id, before, after, after.reason or str(decision)) if called else None
    if row.check == "cost":
        counted = [(n, was.figures[n], x) for n, x in row.figures.items() if was.figures.get(n) is not None and x != was.figures[n]]
        words = ", ".join(f"{name.replace('_', ' ')} {_amount(name, a)} -> {_amount(name, b)}" for name, a, b in counted)
        return Change("latency", after.id, before, after, words) if counted else None
    effect = unjudged_effect(was.latency, row.latency)
    if effect is None or not worth_telling(*effect):
        return None
    medians = f"median {_count(was.latency.median_ms)} -> {_count(row.latency.median_ms)} ms"
    return Change("latency", after.id, before, after, f"not judged: {100 * effect[0]:+.1f} % (spread {100 * effect[1]:.1f} %), {medians}")


def _measured_alone(after: Item, row: Record) -> Change | None:
    """A finding of a session that is itself base against head, or against stored figures."""
    if after.failed:
        return Change("new-failure", after.id, None, after, _verdict(after))
    if after.verdict == "removed":
        return Change("gone", after.id, None, after, _verdict(after))
    return Change("latency", after.id, None, after, after.reason) if row.latency.decision in CALLED else None


def _same(was: Record | None, row: Record) -> bool:
    """Whether every recorded figure is the same; of tensors, every bit."""
    if was is None or row.check != PRECISION:
        return was is not None and was.model_dump(exclude={"seconds"}) == row.model_dump(exclude={"seconds"})
    return [q.name for q in was.quantities] == [q.name for q in row.quantities] and all(map(_bits, was.quantities, row.quantities))


def _bits(a: Quantity, b: Quantity) -> bool:
    return a.digest == b.digest if a.digest or b.digest else a == b


def _verdict(item: Item) -> str:
    return item.verdict + (f": {item.reason}" if item.reason else "")


def _shares(before: float, after: float, was: float | None, now: float | None) -> str:
    """``error ÷ allowed 0.200 -> 0.500``, and the ratios in brackets where they are others."""
    shares, ratios = (" -> ".join("not finite" if x is None or isinf(x) else f"{x:.3f}" for x in pair) for pair in ((before, after), (was, now)))
    return f"error ÷ allowed {shares}" + (f" (ratio {ratios})" if ratios != shares else "")


def _amount(name: str, value: object) -> str:
    """A count to its last digit, with the unit where its name is none."""
    whole = isinstance(value, (int, float)) and not isinstance(value, bool) and value == value // 1
    return (f"{value:,.0f}" if whole else _count(value)) + (" B" if "bytes" in name else "")


def _count(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, (int, float)) and not isinstance(value, bool) else str(value)
