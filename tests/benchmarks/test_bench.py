"""The bench session: one test a benchmark, latency and cost. Run it with `nox -s bench` or `mpcheck bench`."""

from __future__ import annotations

from typing import Any

import pytest

from mpcheck.plugin_bench import CLOCK
from mpcheck.results.outcome import fails

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
    failed = [f for f in findings if fails(f)]
    if failed:
        pytest.fail("\n".join(f"{f.id}: {f.reason}" for f in failed), pytrace=False)
    if all(f.verdict == "unsupported" for f in findings):
        pytest.skip(f"unsupported({findings[0].reason})")


def test_benchmarks_that_are_gone(mp_bench: Any, mp_record: Any) -> None:
    for finding in mp_bench.findings[""]:
        mp_record("finding", finding.model_dump())
    failed = [f for f in mp_bench.findings[""] if fails(f)]
    assert not failed, "\n".join(f"{f.id}: {f.reason}" for f in failed)
