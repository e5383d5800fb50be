"""Names of benchmarks, and back."""

from __future__ import annotations

from typing import get_args

import pytest

from mpcheck.bench.keys import BenchKey, Work, fields_of, parse_id
from mpcheck.records.record import Record


@pytest.mark.parametrize("system", ["builtin:water", "builtin:solvents:2", "/data/a-b/c*d/f-1.xyz@[1:-2]", "../x/y-z*2", "weird - name.xyz", "a*b*c"])
@pytest.mark.parametrize("backend", ["e3nn", "cueq", "cueq-mul_ir", "my-own-backend"])
def test_a_name_is_parsed_back(system: str, backend: str) -> None:
    for subject in ("model", "products.0.linear", "atomic_energies_fn", "interactions.0.conv_tp_weights.layer0"):
        for work in get_args(Work):
            key = BenchKey(system, 12, subject, backend, "bfloat16", work)
            assert parse_id(key.id) == fields_of(key)


@pytest.mark.parametrize("name", ["", "/", "x", "a-b", "no slash-e3nn-float32-forward", "---", "a/b"])
def test_a_name_that_is_none_does_not_crash(name: str) -> None:
    Record(check="latency", **parse_id(name), verdict="removed")
