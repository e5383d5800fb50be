"""Small records of sessions that nothing had to be computed for."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mpcheck.records.document import Records
from mpcheck.records.read import Results
from mpcheck.records.record import Record
from mpcheck.records.tensors import Quantity
from tests.unit.accounts import check_record, fields, golden_record, precision_record

SLUG = "cpu-test-avx2"
WATER = {"name": "builtin:water", "digest": "w" * 64, "atoms": 33, "frames": 1, "edges": 1214}


def quantity(name: str = "out", rms: float | None = 0.6, digest: str = "bits", **changes: Any) -> Quantity:
    own: dict[str, Any] = {
        "name": name, "shape": [2], "max_abs": 1e-7, "max_rel": 1e-6, "stabiliser": 1e-3, "rms": rms, "rms_limit": 1.5, "max": 1.0,
        "max_limit": 9.0, "bias": 0.0, "signed_bias": 0.0, "bias_limit": 1.0, "signed_bias_limit": 1.0, "nonfinite": 0, "out_of_range": 0,
        "allowed_abs": 1e-6, "allowed_rel": 1e-5, "digest": digest,
    }  # fmt: skip
    return Quantity(**own | changes)


def cell(subject: str = "linear", quantities: list[Quantity] | None = None, **changes: Any) -> Record:
    own: dict[str, Any] = {
        "subject": subject, "role": "linear", "block": "leaf", "backend": "e3nn", "format": "bfloat16", "accumulation": "wide",
        "variant": "forward", "system": "builtin:water", "verdict": "pass",
    }  # fmt: skip
    return precision_record([quantity()] if quantities is None else quantities, **own | changes)


def environment(**changes: Any) -> dict[str, Any]:
    return {
        "device_slug": SLUG, "device_name": "Test CPU", "platform": "Linux", "threads": 1, "packages": {"torch": "2.13.0"}, "flags": {},
        "commit": "abc123", "date": "2026-01-02T03:04:05+00:00",
    } | changes  # fmt: skip


def head(options: dict[str, Any], environment_: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "schema_version": 3, "mpcheck": "0.1.0", "environment": environment(**environment_), "model": {"name": "m", "digest": "d" * 64},
        "systems": [WATER], "options": {"device": "cpu", "seed": 0, "blocks": [], **options}, "seconds": 1.0,
    } | changes  # fmt: skip


def run(*cells: Record, golden: Iterable[dict[str, Any]] = (), **others: Any) -> Records:
    """Records of the precision session; golden values by their names."""
    return findings("precision", *cells, *(golden_record(**row) for row in golden), **others)


def finding(subject: str = "linear", **changes: Any) -> Record:
    return check_record(**{"check": "equivariance", "subject": subject, "verdict": "pass", "ratio": 0.5, "limit": 1.5} | changes)


def findings(suite: str, *rows: Record, options: dict[str, Any] | None = None, env: dict[str, Any] | None = None, **changes: Any) -> Records:
    return Records(suite=suite, **head(options or {}, env or {}, **fields(rows) | changes))


def results(*documents: Records, where: str = "reports") -> Results:
    return Results({d.suite: d for d in documents}, [Path(where) / f"{d.suite}.json" for d in documents])
