"""When a figure of two runs differs by more than chance."""

from __future__ import annotations

import pytest

from mpcheck.history.movement import unjudged_effect, worth_telling
from mpcheck.records.detail import Latency


def test_an_effect_needs_two_medians() -> None:
    assert unjudged_effect(Latency(median_ms=1.0), Latency()) is None
    effect = unjudged_effect(Latency(median_ms=2.0, spread_percent=3.0), Latency(median_ms=1.0, spread_percent=4.0))
    assert effect == pytest.approx((-0.5, 0.05))
    assert effect is not None
    assert worth_telling(*effect)
