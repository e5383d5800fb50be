"""A machine's own rate of false alarms, and whether it may gate."""

from __future__ import annotations

from pathlib import Path

import pytest
from scipy.stats import beta

from mpcheck._errors import InputError
from mpcheck.history.latency.aa_rate import AARate, aa_path, read_aa, store_aa
from tests.unit.bench_samples import SLUG, device

NOW = "2026-03-01T00:00:00+00:00"


@pytest.mark.parametrize(
    ("comparisons", "alarms", "may"),
    [(10, 0, None), (72, 0, True), (71, 0, None), (400, 4, True), (400, 12, False), (20, 3, False), (1000, 17, True)],
)
def test_the_machine_may_gate(comparisons: int, alarms: int, may: bool | None) -> None:
    rate = AARate(mode="ab", comparisons=comparisons, alarms=alarms, nominal=0.01, commit="a", date=NOW)
    assert rate.may_gate is may
    low, high = rate.interval
    assert high == pytest.approx(beta.ppf(0.975, alarms + 1, comparisons - alarms))
    assert low == pytest.approx(beta.ppf(0.025, alarms, comparisons - alarms + 1) if alarms else 0.0)
    assert ("must not gate" in rate.reason) == (may is False)


def test_rates_are_a_file_of_their_own(tmp_path: Path) -> None:
    path = aa_path(tmp_path, SLUG)
    assert read_aa(path) is None
    ab = AARate(mode="ab", comparisons=100, alarms=0, nominal=0.01, commit="a", date=NOW)
    stored = ab.model_copy(update={"mode": "stored", "alarms": 30})
    store_aa(path, device(), ab)
    store_aa(path, device(), stored)
    store_aa(path, device(), ab.model_copy(update={"comparisons": 200}))
    found = read_aa(path)
    assert found is not None
    assert found.of("stored") == stored
    assert (rate := found.of("ab")) is not None
    assert rate.comparisons == 200
    store_aa(path, device(threads=2), ab)  # another machine's rates say nothing here
    assert (found := read_aa(path)) is not None
    assert found.of("stored") is None
    path.write_text(path.read_text().replace('"alarms":0', '"alarms":101'))
    with pytest.raises(InputError, match="101 in only 100 comparisons"):
        read_aa(path)
    with pytest.raises(InputError, match="101"):
        store_aa(path, device(), ab)
