"""Records as people are told of them."""

from __future__ import annotations

import math

from mpcheck.records.items import item_of, items_of
from mpcheck.records.verdicts import MISSING
from tests.unit.accounts import check_record
from tests.unit.record_samples import cell, finding, findings, run


def test_work_without_a_record_is_missing_and_red() -> None:
    whole = run(cell("a"), cell("b"))
    cut = whole.model_copy(update={"records": whole.records[:1]})
    (kept, lost) = items_of(cut)
    assert not kept.failed and lost.failed and lost.verdict == MISSING and lost.depth > kept.depth
    assert len(list(items_of(whole))) == 2


def test_a_batch_is_said_with_the_system_and_told_apart_from_it() -> None:
    item = item_of("bench", check_record(check="latency", subject="a", system="s*4", verdict="pass"))
    assert (item.system, item.structure, item.batch) == ("s*4", "s", 4)
    assert item.id == "bench/latency:s*4/a"


def test_the_share_of_its_limit_is_infinite_where_a_failure_has_no_ratio() -> None:
    shares = [item_of("audit", finding(check="dtypes", verdict=v, ratio=r, limit=limit)).share
              for v, r, limit in (("pass", 3.0, 2.0), ("fail", None, 2.0), ("pass", None, 2.0), ("fail", 3.0, None))]  # fmt: skip
    assert shares == [1.5, math.inf, 0.0, 3.0]


def test_leaves_come_before_what_contains_them() -> None:
    kinds = {kind: item_of("precision", cell(block=kind)).depth for kind in ("leaf", "step", "composite")}
    assert kinds["leaf"] == kinds["step"] < kinds["composite"]
    (inner, outer) = items_of(findings("audit", finding("a.b", check="dtypes"), finding("model", check="dtypes")))
    assert inner.depth < outer.depth
