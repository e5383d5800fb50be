"""What is neither red nor green."""

from __future__ import annotations

from mpcheck.report.page.aside import asides
from tests.unit import report_samples as samples


def test_reasons_are_counted_most_frequent_first() -> None:
    rows = [samples.finding("dtypes", f"b.{i}", verdict="unsupported", reason="rare" if i == 0 else "common") for i in range(5)]
    (aside,) = asides(samples.results(samples.findings("audit", rows)).items)
    assert [(r.text, r.number) for r in aside.reasons] == [("common", 4), ("rare", 1)]
