"""The bench session's pieces: one a benchmark, and one for those that are gone."""

from __future__ import annotations

from pathlib import Path

from mpcheck.bench.launch.measurement import Measurement
from mpcheck.history.latency.baseline import read_baseline
from mpcheck.sessions.bench import BenchOptions
from mpcheck.sessions.bench.run import BenchRun
from mpcheck.sessions.bench.work import PLANNED_GONE, BenchWork
from tests.unit.bench_samples import figures


def test_everything_is_measured_at_the_first_piece_and_written_after_it(cache: Path, tmp_path: Path) -> None:
    options = BenchOptions(
        systems=("builtin:water",), backends=("e3nn",), formats=("float32",), blocks=("readouts.1.linear_1",), works=("forward",), cache=cache,
        baselines=tmp_path / "none",
    )  # fmt: skip
    work = BenchWork(options)
    assert isinstance(work.run, BenchRun)
    first, last = work.pieces()
    assert first.planned.subject == "readouts.1.linear_1" and last.planned == PLANNED_GONE and work.rounds(last) == []
    work.write_beside(tmp_path)
    assert work.notes() == [] and list(tmp_path.iterdir()) == []
    made = figures(1.0)
    vars(work.run)["measurement"] = Measurement({first.key.id: made.launches}, {first.key.id: [1e-3] * 5}, processes=3, keys=[first.key.id])
    assert [r.check for r in work.records(first)] == ["latency", "cost"] and [r.verdict for r in work.records(last)] == ["no-baseline"]
    assert work.rounds(first) == [1e-3] * 5 and any("nothing is stored" in note for note in work.notes())
    work.write_beside(tmp_path)
    stored = read_baseline(tmp_path / "bench-figures.json")
    assert stored is not None and list(stored.cells) == [first.key.id] and (tmp_path / "bench.svg").stat().st_size
