"""Types of stored constants, and the table of what was computed in which."""

from __future__ import annotations

from typing import Any

import torch

from mpcheck.checks.audit.dtypes import declared, dtype_table, state_faults
from mpcheck.formats import FORMATS
from mpcheck.records.detail import Types, TypeShare
from mpcheck.records.record import Record
from mpcheck.sessions.run import Session

BF16 = FORMATS["bfloat16"]


def test_pinned_constants_must_have_the_math_type(session: Session) -> None:
    backend: Any = session.backend("cueq")
    block = session.library("builtin:water").block("interactions.0.conv_tp")
    assert declared(backend, block, BF16) == {torch.bfloat16, torch.float32}
    with backend.prepared(block, BF16):
        assert state_faults(backend, block, BF16) == []
        faults = state_faults(backend, block, FORMATS["float64"])
    assert faults and all(f.startswith("buffer ") and f.endswith("is float32, not float64") for f in faults)


def test_the_table_of_types() -> None:
    shares = [TypeShare(dtype="bfloat16", operations=75.0, multiply_adds=99.5), TypeShare(dtype="float32", operations=25.0)]
    seen = Types(operations=4, multiply_adds=9, casts=2, promotions=0, shares=shares)
    single = Types(operations=1, multiply_adds=0, casts=0, promotions=0, shares=[TypeShare(dtype="float32", operations=100.0)])
    findings = [
        Record(check="dtypes", subject="process", verdict="pass"),
        Record(check="dtypes", subject="linear", backend="cueq", format="bfloat16", verdict="pass", detail=seen),
        Record(check="dtypes", subject="sum", backend="e3nn", format="float32", verdict="pass", detail=single),
    ]
    head, rule, *rows = dtype_table(findings)
    assert head == "| block | backend | format | bfloat16 | float32 | casts |" and rule.count("|") == head.count("|")
    assert rows == ["| linear | cueq | bfloat16 | 75 % / 99.5 % | 25 % / 0 % | 2 |", "| sum | e3nn | float32 |  | 100 % / 0 % | 0 |"]
