"""Pictures beside records."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

from mpcheck.report.pictures.ranges import Sample
from mpcheck.report.pictures.sessions import write_bench_picture, write_precision_picture, write_profile_pictures
from mpcheck.report.pictures.sweep import sweep_pictures
from tests.unit.accounts import check_record
from tests.unit.report.pictures.samples import SVG, bench_of, full, run_of


def words(path: Path) -> set[str]:
    return {e.text or "" for e in ET.parse(path).getroot().iter(f"{SVG}text")}


def test_precision_leaves_a_map_of_every_backend(tmp_path: Path) -> None:
    write_precision_picture(tmp_path / "p.svg", run_of(full()))
    assert {"Error ÷ allowed error, e3nn", "Error ÷ allowed error, cueq", "m on CPU: error ÷ allowed error"} <= words(tmp_path / "p.svg")


def test_bench_leaves_nothing_where_nothing_was_timed(tmp_path: Path) -> None:
    write_bench_picture(tmp_path / "b.svg", "m", [Sample("s*1", "model", "energy", "e3nn", [])])
    assert not (tmp_path / "b.svg").exists()
    write_bench_picture(tmp_path / "b.svg", "m", [Sample("s*1", "model", "energy", "e3nn", [1e-3])])
    assert "m: latency of every benchmark" in words(tmp_path / "b.svg")


def test_profile_leaves_a_file_a_work(tmp_path: Path) -> None:
    figures = {"host_ms": 1.0, "share": 0.5, "bound": "host", "end_to_end_ms": 2.0}
    block = check_record(check="profile", subject="a", backend="e3nn", verdict="pass", figures=figures)
    run = bench_of([]).model_copy(update={"suite": "profile"})
    maps = {("s", "float32", work, "e3nn"): [block] for work in ("energy", "energy+forces")}
    written = write_profile_pictures(tmp_path, run, maps, {("float32", "energy"): {"e3nn": [1e-3]}}, [])
    assert [p.name for p in written] == ["profile-energy.svg", "profile-energy-forces.svg", "profile-latency.svg"]
    assert all(p.exists() for p in written) and sweep_pictures([]) == []
