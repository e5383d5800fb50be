"""The strip of verdicts."""

from __future__ import annotations

from mpcheck.report.pictures import pictures
from tests.unit.report.pictures.samples import cell, red, results, timing


def test_the_strip_counts_every_session() -> None:
    found = pictures(results([cell("a"), cell("b", **red()), cell("c", verdict="unsupported", quantities=[])], [timing("a")]))
    assert found[0].alt == "precision: 1 failed, 1 passed, 1 no verdict; bench: 1 passed."
