"""Whole records of every session that judges."""

from __future__ import annotations

from pathlib import Path

from mpcheck.records.document import Records, write_records
from tests.unit import record_samples as samples

CELLS = [samples.cell(block, variant=d) for block in ("a.b", "c") for d in ("forward", "backward")]
GOLDEN = [{"system": "builtin:water", "name": f"{n}:out", "rms": 0.0, "max": 0.0, "limit": 2.0, "failure": ""} for n in ("a", "b")]
CHECKS = {"symmetry": ("layout", "mix"), "audit": ("engagement", "dtypes"), "bench": ("latency", "cost")}
JUDGING = tuple(CHECKS)


def document(suite: str) -> Records:
    if suite == "precision":
        return samples.run(*CELLS, golden=GOLDEN)
    rows = [samples.finding(f"a.{n}", check=check, backend="e3nn", format="float32") for n in range(2) for check in CHECKS[suite]]
    return samples.findings(suite, *rows)


def write(directory: Path, *documents: Records) -> Path:
    for one in documents:
        path = directory / f"{one.suite}.json"
        write_records(path, one)
    return directory
