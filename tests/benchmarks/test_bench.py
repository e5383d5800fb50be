"""The bench session: one test a benchmark, latency and cost. Run it with `nox -s bench` or `mpcheck bench`."""

from __future__ import annotations

from typing import Any

import pytest

from mpcheck.pytest_plugin.bench import CLOCK
from mpcheck.sessions import work

pytestmark = pytest.mark.mpcheck


@pytest.mark.benchmark(timer=CLOCK)
def test_latency_and_cost(bench_key: Any, mp_bench: Any, mp_conclude: Any, request: pytest.FixtureRequest) -> None:
    findings = mp_bench.findings[bench_key.id]
    rounds = mp_bench.seconds(bench_key)
    if rounds:
        benchmark = request.getfixturevalue("benchmark")
        benchmark.extra_info.update({f.check: {"verdict": f.verdict, "reason": f.reason, **f.figures} for f in findings})
        CLOCK.replay(benchmark, rounds)
    mp_conclude(findings)


@pytest.mark.mpcheck_plan(work.GONE)
def test_benchmarks_that_are_gone(mp_bench: Any, mp_conclude: Any) -> None:
    mp_conclude(mp_bench.findings[""])
