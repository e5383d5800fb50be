"""Callables in turns."""

from __future__ import annotations

import pytest

from mpcheck.bench.profile.alternate import alternate, speedup


def test_backends_take_turns() -> None:
    order: list[str] = []
    found = alternate({n: lambda n=n: order.append(n) for n in "ab"}, seconds=0.0, warmup=1)  # type: ignore[misc]
    assert "".join(order) == "ab" + "ab" + "ba" + "ab" + "ba" + "ab"
    assert [len(v) for v in found.values()] == [5, 5]


def test_a_speed_up_has_an_interval() -> None:
    fast = [1.0 + 0.01 * (i % 7) for i in range(40)]
    found = speedup([3 * x for x in fast], fast)
    assert found.ratio == pytest.approx(3)
    assert found.low <= 3.0001
    assert found.high >= 2.9999
    noisy = speedup([3.0 + (i % 5) for i in range(20)], [1.0 + (i % 3) for i in range(20)])
    assert noisy.low < noisy.ratio < noisy.high
    with pytest.raises(ValueError, match="two or more"):
        speedup([1.0], [1.0])
