"""A configuration that upstream cannot convert is judged by upstream's known limits."""

from __future__ import annotations

from mpcheck.adapters.backends.design import DESIGN
from mpcheck.checks.symmetry import conversions
from mpcheck.judge.upstream_limits import UpstreamLimit, load_limits
from mpcheck.sessions.run import Session

SMALL = DESIGN[0]


def _limit(**changes: object) -> UpstreamLimit:
    fields = {
        "id": "planted", "package": "mace-torch", "versions": ">=0.3", "when": {"num_interactions": [1], "correlation": [2]},
        "message": "Correlation . not supported", "reason": "an entry that a test has planted here",
    }  # fmt: skip
    return UpstreamLimit.model_validate({**fields, **changes})


def test_a_limit_that_no_longer_applies_is_a_failure(session: Session) -> None:
    (finding,) = conversions.judge_configuration(session, SMALL, [_limit()])
    assert finding.verdict == "fail" and "planted no longer applies" in finding.reason


def test_correlation_one_is_unsupported_by_a_known_limit_and_a_failure_without(session: Session) -> None:
    config = next(c for c in DESIGN if c.correlation == 1)
    (known,) = conversions.judge_configuration(session, config, load_limits())
    assert known.verdict == "unsupported" and known.reason.startswith("correlation-one")
    (unknown,) = conversions.judge_configuration(session, config, [_limit(when={"correlation": [1]}, message="something else")])
    assert unknown.verdict == "fail" and "no known limit explains" in unknown.reason
