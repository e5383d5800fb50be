"""Own times of blocks."""

from __future__ import annotations

import pytest

from mpcheck.records.record import Record
from mpcheck.report.pictures.blocks import GPU, block_pictures, parts_of
from mpcheck.report.pictures.canvas import settings
from tests.unit.accounts import check_record
from tests.unit.report.pictures.samples import named, texts

TIMES = {"host_ms": 3.0, "device_ms": 2.0, "backward_host_ms": 5.0, "backward_device_ms": 9.0, "bound": "host", "end_to_end_ms": 20.0, "group": "g"}


def block(subject: str, share: float, **times: float | str) -> Record:
    return check_record(check="profile", subject=subject, backend="e3nn", verdict="pass", figures={**TIMES, **times, "share": share})


@pytest.mark.parametrize(("cpu", "parts"), [(True, [2.0, 1.0, 5.0, 0.0]), (False, [0.0, 3.0, 0.0, 5.0])])
def test_kernels_are_of_the_hosts_time_on_a_cpu_only(cpu: bool, parts: list[float]) -> None:
    assert parts_of(block("a", 0.5), cpu) == parts


def test_small_blocks_share_a_row_and_a_backend_has_a_picture() -> None:
    blocks = [block("a", 0.5), block("b", 0.005), block("c", 0.001)]
    with settings():
        drawn = block_pictures({"e3nn": blocks, "cueq": blocks}, cpu=False)
    assert [p.name for p in drawn] == ["blocks-e3nn", "blocks-cueq"]
    words = texts(named(drawn, "blocks-e3nn"))
    assert "a" in words and "2 smaller" in words and "b" not in words and GPU in words
    assert "8.00" in words and "16.00" in words  # own host time of a, and of the others together
