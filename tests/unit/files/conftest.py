"""Records of two runs and the stores of two devices."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import pytest

from mpcheck.history.gates import append_gate
from mpcheck.history.gates import entry_of as gate_entry
from mpcheck.history.latency.baseline import write_baseline
from mpcheck.history.latency.history import append, entry_of
from mpcheck.records.read import Results
from tests.unit import bench_samples, report_samples
from tests.unit.record_samples import SLUG
from tests.unit.report_samples import store


def small(whole: Results) -> Results:
    """The first rows of each session."""
    few = {name: document.model_copy(update={"records": document.records[:4]}) for name, document in whole.documents.items()}
    return Results(few)


@pytest.fixture(scope="session")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Records of two runs and the stores of two devices."""
    root = tmp_path_factory.mktemp("stores")
    store(root / "base", small(report_samples.green()))
    store(root / "head", small(report_samples.red()))
    figures = bench_samples.baseline()
    write_baseline(root / "b" / bench_samples.SLUG / "bench.json", figures)
    append(root / "b" / bench_samples.SLUG / "bench-history.jsonl", entry_of(figures, "run"))
    append_gate(root / "g" / SLUG / "gate-history.jsonl", gate_entry(report_samples.green()))
    return root


@pytest.fixture
def place(stores: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The stores in a directory of the test's own; whoever waits for a pipe is woken, and fails."""

    def late(number: int, frame: FrameType | None) -> None:
        raise AssertionError("it waits")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(60)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPCHECK_CACHE_DIR", str(tmp_path / "cache"))
    shutil.copytree(stores, tmp_path, dirs_exist_ok=True)
    yield tmp_path
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)
