"""A configuration that upstream cannot convert is judged by upstream's known limits."""

from __future__ import annotations

import pytest
import torch

from mpcheck.adapters.architecture import build_model
from mpcheck.adapters.backends import conversion, weights
from mpcheck.adapters.backends.converter import Converted
from mpcheck.adapters.backends.cueq import BACKEND
from mpcheck.adapters.backends.design import DESIGN
from mpcheck.checks.symmetry import conversions
from mpcheck.judge.upstream_limits import load_limits
from mpcheck.sessions.run import Session
from tests.unit.limit_samples import planted_limit

SMALL = DESIGN[0]


def test_a_limit_that_no_longer_applies_is_a_failure(session: Session) -> None:
    (finding,) = conversions.judge_configuration(session, SMALL, [planted_limit()])
    assert finding.verdict == "fail" and "planted no longer applies" in finding.reason


def test_correlation_one_is_unsupported_by_a_known_limit_and_a_failure_without(session: Session) -> None:
    config = next(c for c in DESIGN if c.correlation == 1)
    (known,) = conversions.judge_configuration(session, config, load_limits())
    assert known.verdict == "unsupported" and known.reason.startswith("correlation-one")
    (unknown,) = conversions.judge_configuration(session, config, [planted_limit(when={"correlation": [1]}, message="something else")])
    assert unknown.verdict == "fail" and "no known limit explains" in unknown.reason


@pytest.fixture(scope="module")
def models() -> tuple[torch.nn.Module, Converted, Converted]:
    """Source, twin and returned model of the smallest configuration."""
    source = build_model(SMALL.architecture)
    twin = BACKEND.converter.there(source, torch.device("cpu"))
    return source, twin, BACKEND.converter.back(twin.model, torch.device("cpu"))


def test_contractions_without_a_known_map_are_inconclusive(
    models: tuple[torch.nn.Module, Converted, Converted], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, twin, returned = models
    for place in (conversion, weights):
        monkeypatch.setattr(place, "weight_map", lambda module, reduced: None)
    found = conversions.judged(BACKEND.converter, source, twin, returned, {"check": "conversion", "subject": "x"})
    assert [f.verdict for f in found] == ["inconclusive", "inconclusive"]
    assert all("products.0.symmetric_contractions" in f.reason for f in found)
