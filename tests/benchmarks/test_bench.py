"""The bench session: one test a benchmark, latency and cost. Run it with `nox -s bench`, or with `pytest tests/benchmarks --mp-model …`."""

from __future__ import annotations

from typing import Any

import pytest

from mpcheck.pytest_plugin.clock import CLOCK

pytestmark = [pytest.mark.mpcheck, pytest.mark.mpcheck_suite("bench")]


@pytest.mark.benchmark(timer=CLOCK)
def test_latency_and_cost(mp_piece: Any, mp_work: Any, mp_records: Any, mp_conclude: Any, request: pytest.FixtureRequest) -> None:
    records = mp_records()  # measures, at the first one
    rounds = mp_work.rounds(mp_piece)
    if rounds:
        benchmark = request.getfixturevalue("benchmark")
        benchmark.extra_info.update({f.check: {"verdict": f.verdict, "reason": f.reason, **f.figures} for f in records})
        CLOCK.replay(benchmark, rounds)
    mp_conclude()
