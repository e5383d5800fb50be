"""Where the figures come from."""

from __future__ import annotations

from mpcheck.report.page.view import page_of
from tests.unit import report_samples as samples


def test_sessions_that_differ_say_in_what() -> None:
    environment = samples.head()["environment"] | {"threads": 2}
    results = samples.results(samples.run(samples.grid()), samples.findings("audit", [samples.finding("dtypes")], environment=environment))
    rows = dict(next(f for f in page_of(results).facts if f.title == "Machine").rows)
    assert rows["threads"] == "1 (precision); 2 (audit)"
    assert rows["device_name"] == "Made Up"


def test_records_without_commit_and_date_are_unknown() -> None:
    environment = {k: v for k, v in samples.head()["environment"].items() if k not in ("commit", "date")}
    page = page_of(samples.results(samples.run(samples.grid(), environment=environment)))
    assert (page.commit, page.date) == ("unknown", "unknown")
