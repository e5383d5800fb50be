"""Small records of one model on one machine."""

from __future__ import annotations

from typing import Any

from mpcheck.records.document import Records
from mpcheck.records.record import Record
from mpcheck.records.tensors import Quantity
from tests.unit.accounts import fields, golden_record, precision_record

ENVIRONMENT = {"device_slug": "cpu-x", "device_name": "X", "platform": "Linux", "packages": {"torch": "2"}, "device": "cpu"}
HEAD: dict[str, Any] = {
    "schema_version": 3, "mpcheck": "0.1.0", "environment": ENVIRONMENT, "model": {"name": "builtin:hco", "digest": "d"},
    "systems": [{"name": "builtin:water"}], "options": {"device": "cpu", "seed": 0}, "seconds": 1.0,
}  # fmt: skip


def quantity(name: str, rms: float | None, limit: float = 1.0, failures: tuple[str, ...] = ()) -> Quantity:
    numbers = dict.fromkeys(("max_abs", "max_rel", "stabiliser", "max", "bias", "signed_bias", "allowed_abs"), 0.5)
    numbers |= dict.fromkeys(("max_limit", "bias_limit", "signed_bias_limit"), 9.0)
    return Quantity(name=name, shape=[3], rms=rms, rms_limit=limit, nonfinite=0, out_of_range=0, allowed_rel=0.5, failures=list(failures), **numbers)


def cell(subject: str = "a.b", verdict: Any = "pass", **changes: Any) -> Record:
    words = {"subject": subject, "role": "linear", "block": "leaf", "backend": "e3nn", "format": "bfloat16", "accumulation": "wide", "quantities": []}
    return precision_record(**(words | {"variant": "forward", "system": "builtin:water", "verdict": verdict} | changes))


def run(*cells: Record, golden: list[dict[str, Any]] | None = None, **changes: Any) -> Records:
    return Records(suite="precision", **(HEAD | fields([*cells, *(golden_record(**row) for row in golden or ())]) | changes))


def findings(suite: Any, *rows: Record, **changes: Any) -> Records:
    return Records(suite=suite, **(HEAD | fields(rows) | changes))
