"""The bench session: one test a benchmark, latency and cost. Run it with `nox -s bench` or `mpcheck bench`."""

from __future__ import annotations

from typing import Any

import pytest

from mpcheck._text import terminal
from mpcheck.plugin_bench import CLOCK

pytestmark = pytest.mark.mpcheck


@pytest.mark.benchmark(timer=CLOCK)
def test_latency_and_cost(bench_key: Any, mp_bench: Any, mp_record: Any, request: pytest.FixtureRequest) -> None:
    findings = mp_bench.findings[bench_key.id]
    for finding in findings:
        mp_record("finding", finding.model_dump())
    rounds = mp_bench.seconds(bench_key)
    if rounds:
        benchmark = request.getfixturevalue("benchmark")
        benchmark.extra_info.update({f.check: {"verdict": f.verdict, "reason": f.reason, **f.metrics} for f in findings})
        CLOCK.replay(benchmark, rounds)
    failed = [f for f in findings if f.verdict == "fail"]
    if failed:
        pytest.fail("\n".join(terminal(f"{f.id}: {f.reason}") for f in failed), pytrace=False)
    if all(f.verdict == "unsupported" for f in findings):
        pytest.skip(terminal(f"unsupported({findings[0].reason})"))


def test_benchmarks_that_are_gone(mp_bench: Any, mp_record: Any) -> None:
    for finding in mp_bench.findings[""]:
        mp_record("finding", finding.model_dump())
    failed = [f for f in mp_bench.findings[""] if f.verdict == "fail"]
    assert not failed, "\n".join(terminal(f"{f.id}: {f.reason}") for f in failed)
