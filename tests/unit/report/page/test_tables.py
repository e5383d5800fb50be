"""Tables of the report."""

from __future__ import annotations

from mpcheck.report.page.view import page_of
from tests.unit import report_samples as samples
from tests.unit.report_samples import html_of


def test_a_ratio_that_is_not_finite_is_told() -> None:
    results = samples.results(samples.run([samples.cell(rms=None, verdict="fail", reason="3 values are not finite")]))
    assert "3 values are not finite" in page_of(results).sentence
    assert "✗ ∞" in html_of(results)
