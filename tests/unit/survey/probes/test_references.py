"""The place that is chosen for references is compared with the other one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from mpcheck._cuda import standing_in
from mpcheck.survey.found import FILE
from mpcheck.survey.probes import references
from tests.fakes.cuda import FakeCuda


def run(monkeypatch: pytest.MonkeyPatch, took: Mapping[str, float], capability: tuple[int, int] = (9, 0)) -> dict[str, tuple[str, str]]:
    """Verdict and reason by name; sessions are the names of their places."""
    cuda = FakeCuda()
    cuda.capability = capability
    monkeypatch.setattr(references, "opened", lambda device, place, cache: place)
    monkeypatch.setattr(references, "seconds", lambda session, name: took[session])
    with standing_in(cuda):
        return {f.name: (f.verdict, f.reason) for f in references.findings("cuda")}


@pytest.mark.parametrize(
    ("capability", "took", "verdict", "says"),
    [
        ((9, 0), {"host": 2.0, "device": 1.0}, "pass", "made on the device: 4.00 s; 8.00 s on the host"),
        ((9, 0), {"host": 1.0, "device": 1.4}, "pass", "made on the device"),
        ((9, 0), {"host": 1.0, "device": 2.0}, "degraded", "choose --references host"),
        ((8, 9), {"host": 2.0, "device": 1.0}, "degraded", "choose --references device"),
    ],
)
def test_the_slower_place_is_told(
    capability: tuple[int, int], took: dict[str, float], verdict: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = run(monkeypatch, took, capability)
    assert found["references"][0] == verdict and says in found["references"][1]
    assert len(found) == 1 + len(references.BLOCKS)


def test_what_raises_is_told_and_no_place_is_recommended(monkeypatch: pytest.MonkeyPatch) -> None:
    found = run(monkeypatch, {"host": 1.0})
    assert [v for v, _ in found.values()] == ["fail"] and "KeyError: 'device'" in next(iter(found.values()))[1]


def test_a_cpu_has_no_choice(tmp_path: Path) -> None:
    assert references.main(["cpu", str(tmp_path)]) == 0
    (row,) = json.loads((tmp_path / FILE).read_text())["found"]
    assert row["verdict"] == "unsupported"


def test_a_block_s_reference_takes_time(tmp_path: Path) -> None:
    session = references.opened("cpu", "host", tmp_path)
    assert references.seconds(session, references.BLOCKS[0]) > references.seconds(session, references.BLOCKS[0]) >= 0.0
