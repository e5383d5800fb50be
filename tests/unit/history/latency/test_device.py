"""What must be the same for latencies to be comparable."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mpcheck.history.latency.baseline import stored_for, write_baseline
from mpcheck.history.latency.device import device_key
from mpcheck.records.environment import device_slug
from tests.unit.bench_samples import baseline, device


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"name": "Other"}, "device Made Up stored, Other here"),
        ({"capability": "AVX512"}, "vector capability AVX2 stored, AVX512 here"),
        ({"threads": 2}, "threads 1 stored, 2 here"),
        ({"packages": {"torch": "2.14.0", "e3nn": "0.4.4"}}, "torch 2.13.0 stored, 2.14.0 here"),
        ({"packages": {"torch": "2.13.0", "e3nn": "0.4.4", "cuequivariance": "0.13"}}, "cuequivariance none stored, 0.13 here"),
        ({"driver": "580.1"}, "driver none stored, 580.1 here"),
    ],
)
def test_another_device_is_never_compared(change: dict[str, Any], named: str, tmp_path: Path) -> None:
    assert device().matches(device(**change)) == [named]
    path, b = tmp_path / "bench.json", baseline()
    write_baseline(path, b)
    found, reason = stored_for(path, device(**change), b.model.digest, b.systems, b.options)
    assert found is None
    assert named in reason


def test_the_key_of_this_machine() -> None:
    key = device_key("cpu", 1)
    assert key.slug == device_slug("cpu")
    assert key.matches(device_key("cpu", 1)) == []
    assert {"torch", "mace-torch", "e3nn"} <= key.packages.keys()
    assert "mpcheck" not in key.packages
    assert any("threads" in text for text in key.matches(device_key("cpu", 2)))
