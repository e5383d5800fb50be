"""One vocabulary of verdicts."""

from __future__ import annotations

import pytest

from mpcheck.records.verdicts import CONCLUDED, MISSING, NOT_RUN, ON_A_PAGE, VERDICTS, WORST_FIRST, red


def test_every_order_tells_every_verdict_once() -> None:
    assert sorted(WORST_FIRST) == sorted(VERDICTS) and sorted(ON_A_PAGE) == sorted((*VERDICTS, MISSING))
    assert {*CONCLUDED, *NOT_RUN} <= {*VERDICTS}


@pytest.mark.parametrize("verdict", [*VERDICTS, MISSING])
def test_what_failed_is_missing_or_another_kernel_computed_is_red(verdict: str) -> None:
    assert red(verdict) is (verdict in ("fail", "missing", "degraded"))
    assert red(verdict, "--allow-degraded cueq") is (verdict in ("fail", "missing"))
