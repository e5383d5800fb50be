"""Which stored figures are dropped."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pytest

from mpcheck._errors import InputError
from mpcheck._files.stored import Stamp
from mpcheck.history.latency.aa_rate import aa_path
from mpcheck.history.latency.baseline import bench_path, read_baseline, write_baseline
from mpcheck.history.latency.retention import age_days, matching, plan, remove
from tests.unit.bench_samples import LINEAR, MODEL, SLUG, baseline

MARCH = datetime.datetime(2026, 3, 1, tzinfo=datetime.timezone.utc)
OLD = Stamp(commit="c", date="2025-03-01T00:00:00+00:00")
BASELINES = {SLUG: baseline(origins={MODEL: OLD}), "cpu-other": baseline()}


def test_a_name_with_brackets_is_matched_as_it_is() -> None:
    assert matching(["a[1]", "a1", "b"], "a[1]") == ["a1", "a[1]"] and matching(["a[1]", "b"], "*") == ["a[1]", "b"]


def test_ages_are_never_negative() -> None:
    assert age_days(OLD, MARCH) == 365 and age_days(OLD, datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc)) == 0


@pytest.mark.parametrize(
    ("asked", "dropped"),
    [
        ({}, {}), ({"keep": [SLUG]}, {"cpu-other": sorted([LINEAR, MODEL])}), ({"older_than": 100.0}, {SLUG: [MODEL]}),
        ({"cell": "*linear*"}, {SLUG: [LINEAR], "cpu-other": [LINEAR]}), ({"cell": "*linear*", "older_than": 100.0}, {}),
    ],
)  # fmt: skip
def test_what_is_dropped(asked: dict[str, Any], dropped: dict[str, list[str]]) -> None:
    assert plan(BASELINES, **{"keep": [], "older_than": None, "cell": None, "now": MARCH, **asked}) == dropped


@pytest.mark.parametrize(("keep", "cell", "named"), [(["gpu-*"], None, "--keep-device gpu-*"), ([], "nothing", "--cell nothing")])
def test_a_pattern_that_matches_nothing_is_refused(keep: list[str], cell: str | None, named: str) -> None:
    with pytest.raises(InputError) as told:
        plan(BASELINES, keep, None, cell, MARCH)
    assert str(told.value).startswith(named)


def test_the_last_cell_goes_with_its_file_and_its_rate(tmp_path: Path) -> None:
    for slug, b in BASELINES.items():
        write_baseline(bench_path(tmp_path, slug), b)
        aa_path(tmp_path, slug).write_text("{}")
    changed = remove(tmp_path, BASELINES, {SLUG: [MODEL], "cpu-other": [LINEAR, MODEL]})
    assert changed == [bench_path(tmp_path, SLUG), bench_path(tmp_path, "cpu-other"), aa_path(tmp_path, "cpu-other")]
    left = read_baseline(bench_path(tmp_path, SLUG))
    assert left is not None and list(left.cells) == [LINEAR] and left.origins == {}
    assert aa_path(tmp_path, SLUG).exists() and not any((tmp_path / "cpu-other").iterdir())
