"""The table of blocks and formats: error over allowed error, whatever figure decides."""

from __future__ import annotations

from mpcheck.report.summary import entry
from tests.unit.record_samples import cell, quantity


def test_a_field_tells_error_over_allowed_error_and_is_above_1_where_it_fails() -> None:
    assert entry([cell(quantities=[quantity(rms=1.2), quantity("b", 0.3)]), cell(quantities=[quantity(rms=0.1)])]).text == "0.80"
    biased = quantity(signed_bias=-0.5, signed_bias_limit=0.2, failures=["signed bias 0.5 > 0.2"])
    assert entry([cell(quantities=[biased], verdict="fail")]).text == "FAIL 2.50", "its rms is within its limit"
    assert entry([cell(quantities=[quantity(rms=None, failures=["NaN"])], verdict="fail")]).text == "FAIL ∞"


def test_what_did_not_run_has_no_number() -> None:
    assert entry([cell(quantities=[], verdict="unsupported")]).text == "–"
    assert entry([cell(quantities=[quantity(rms=3.0)], verdict="known-fault")]).text == "known 2.00"
    assert entry([]).unsupported
