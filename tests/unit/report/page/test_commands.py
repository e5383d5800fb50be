"""Commands of large records."""

from __future__ import annotations

from mpcheck.records.reproduce import reproduce
from mpcheck.report.page.commands import Commands
from mpcheck.report.page.pinned import Pinned
from tests.unit import report_samples as samples


def test_commands_are_those_of_one_conclusion_at_a_time() -> None:
    results = samples.red()
    commands = Commands(results)
    for item in results.items:
        assert commands.of(item) == reproduce(results.documents[item.session], item)


def test_a_name_that_nobody_vouches_for_takes_the_command_away() -> None:
    results = samples.results(samples.run([samples.cell(rms=4.0, backend="ours")]))
    (item,) = results.failures
    assert Commands(results, Pinned()).of(item) == ""
    assert Commands(results, Pinned(backends=frozenset(["ours"]))).of(item) == Commands(results).of(item) != ""
