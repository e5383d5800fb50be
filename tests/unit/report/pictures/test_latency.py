"""Latency against the baseline, and milliseconds of a call."""

from __future__ import annotations

from mpcheck.report.pictures import pictures
from tests.unit.accounts import check_record
from tests.unit.report.pictures.samples import named, results, texts, timing


def test_slower_benchmarks_come_first_and_are_marked() -> None:
    found = pictures(results((), [timing("calm"), timing("quick", effect=-12.0), timing("slow", effect=8.0), timing("slowest", effect=9000.0)]))
    words = texts(named(found, "latency-change"))
    assert [w for w in words if w in ("calm", "quick", "slow", "slowest")] == ["slowest", "slow", "quick", "calm"]
    assert [w for w in words if "✕" in w] == ["+9e+03 % ✕", "+8.0 % ✕"]


def test_without_a_baseline_there_are_milliseconds_only() -> None:
    finding = check_record(check="latency", subject="a", backend="e3nn", format="float32", verdict="no-baseline", figures={"median_ms": 2.0})
    found = pictures(results((), [finding]))
    assert [p.name for p in found] == ["verdicts", "latency"]
    assert "baseline" not in texts(found[1])
