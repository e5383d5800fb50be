"""Records that are whole: a plan that they fulfil, made of the records themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from mpcheck._names import GOLDEN, PRECISION
from mpcheck.records.migrate import batched, detail_of
from mpcheck.records.record import Part, Planned, Record, of_tensors
from mpcheck.records.tensors import Quantity, Tensors


def precision_record(quantities: Iterable[Quantity], **fields: Any) -> Record:
    """A cell's record; ``role``, ``block``, ``accumulation`` and ``drift`` are its tensors'."""
    own = {name: fields.pop(name) for name in ("role", "block", "accumulation", "drift") if name in fields}
    return of_tensors(list(quantities), Tensors(**own), **{"check": PRECISION} | fields)


def golden_record(system: str, name: str, failure: str = "", rms: float | None = None, limit: float | None = None, **fields: Any) -> Record:
    """A golden value's record."""
    block, _, tensor = name.partition(":")
    quantity = Quantity(name=name, rms=rms, max=fields.pop("max", rms), rms_limit=limit, failures=[failure] if failure else [])
    own = {"check": GOLDEN, "subject": block, "variant": tensor, "system": system, "backend": "e3nn", "format": "float64"}
    return of_tensors([quantity], Tensors(), **own | {"verdict": "fail" if failure else "pass", "reason": failure} | fields)


def check_record(figures: dict[str, Any] | None = None, **fields: Any) -> Record:
    """A record of another check, its figures typed as the check's are; ``NAME*BATCH`` as system stands for both."""
    if figures is not None:
        fields["detail"] = detail_of(fields["check"], figures)
    return Record.model_validate(fields | batched(fields.get("system", "")))


def key_of(record: Record) -> str:
    return record.key or (f"golden/{record.system}" if record.check == GOLDEN else record.id)


def accounted(records: Iterable[Record]) -> list[Record]:
    """Records with the key of their work, and which of its records they are."""
    records = list(records)
    total, seen, found = Counter(map(key_of, records)), Counter[str](), []
    for record in records:
        key = key_of(record)
        seen[key] += 1
        found.append(record.model_copy(update={"key": key, "part": Part(number=seen[key], of=total[key])}))
    return found


def plan(records: Iterable[Record]) -> dict[str, Any]:
    """The fields of a run that planned and did just these."""
    return {"plan": [Planned(key=key, check="made up") for key in dict.fromkeys(map(key_of, records))], "state": "complete"}


def fields(records: Iterable[Record]) -> dict[str, Any]:
    """Fields of a document: the records, and the plan of them."""
    whole = accounted(records)
    return {"records": whole, **plan(whole)}
