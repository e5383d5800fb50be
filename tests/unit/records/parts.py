"""Sessions in parts, as several machines write them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mpcheck.records.document import Records
from mpcheck.records.shards import ROWS, SHARD, by_first_seen, divide, runs
from tests.unit.accounts import accounted
from tests.unit.record_samples import cell, finding, findings, run

CELLS = accounted(cell(block, variant=d) for block in ("a", "b", "c", "d", "e") for d in ("forward", "backward"))
GOLDEN = [{"system": "builtin:water", "name": f"{n}:out", "rms": 0.0, "max": 0.0, "limit": 2.0, "failure": ""} for n in ("a", "b")]
CHECKS = {"audit": ("engagement", "dtypes"), "bench": ("latency", "cost")}


def parts_of(of: int) -> list[tuple[Path, Records]]:
    """A precision session as that many machines would write it: golden values are tests 0, cells the next."""
    numbers = divide([None, *(c.subject for c in CELLS)], of)[1:]
    made = []
    for number in range(1, of + 1):
        own = [(place + 1, c) for place, c in enumerate(CELLS) if numbers[place] == number]
        golden = GOLDEN if number == 1 else []
        rows = {"records": runs([*(p for p, _ in own), *(0 for _ in golden)])}
        options = {SHARD: f"{number}/{of}", ROWS: rows, "cache": f"/cache{number}"}
        env = {"date": f"2026-01-0{number}T00:00:00+00:00"}
        made.append((Path(f"part{number}.json"), run(*(c for _, c in own), golden=golden, options=options, env=env, seconds=2.0)))
    return made


def found_rows(suite: Any, of: int) -> tuple[list[Any], list[tuple[Path, Records]]]:
    """Findings of tests with one, two or no finding of two checks each, whole and in parts."""
    tests = [[finding(f"{n}{i}", check=check) for i, check in enumerate(CHECKS[suite][: n % 3])] for n in range(9)]
    numbers = divide([str(n) for n in range(9)], of)
    made = []
    for number in range(1, of + 1):
        placed = by_first_seen([(n, f) for n, own in enumerate(tests) if numbers[n] == number for f in own], lambda e: e[1].check)
        options = {SHARD: f"{number}/{of}", ROWS: {"records": runs(n for n, _ in placed)}}
        made.append((Path(f"{number}.json"), findings(suite, *(f for _, f in placed), options=options)))
    return accounted(by_first_seen([f for own in tests for f in own], lambda f: f.check)), made


def changed(document: Records, where: str, **changes: Any) -> Records:
    old = getattr(document, where)
    return document.model_copy(update={where: {**old, **changes} if isinstance(old, dict) else old.model_copy(update=changes)})
