"""One session on several machines."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from mpcheck._errors import InputError
from mpcheck.bench.launch.measurement import request
from mpcheck.cli.main import main
from mpcheck.pytest_plugin import options as plugin_options
from mpcheck.records.document import read_records
from mpcheck.records.record import Record
from mpcheck.sessions.bench import BenchOptions
from mpcheck.sessions.bench.run import BenchRun

ROOT = Path(__file__).parents[2]


def test_benchmarks_are_divided_and_the_others_left_out() -> None:
    options = BenchOptions(systems=("builtin:isolated",), backends=("e3nn",), blocks=("readouts.*", "model"))
    made = [BenchRun(replace(options, shard=shard)) for shard in ("", "1/3", "2/3", "3/3")]
    whole, *shards = made
    assert sorted(key.id for part in shards for key in part.keys) == sorted(key.id for key in whole.keys)
    assert max(len(part.keys) for part in shards) - min(len(part.keys) for part in shards) <= 1
    assert all(part.every == whole.every for part in shards)
    for part in made:
        assert {key.id for key in part.keys} | set(part._load()["skip"]) == {key.id for key in part.every}
        json.dumps(part._load())
    assert request(options, (1,), ("forward",))["skip"] == []
    with pytest.raises(InputError, match="parts are too many"):
        BenchRun(replace(options, shard="1/99"))


def config(device: str, worker: str = "") -> Any:
    found = SimpleNamespace(getoption=lambda name: {"--mp-device": device}[name])
    if worker:
        found.workerinput = {"workerid": worker}
    return found


@pytest.mark.parametrize(
    ("device", "worker", "count", "expected"),
    [
        ("cuda", "gw0", 4, "cuda:0"),
        ("cuda", "gw3", 4, "cuda:3"),
        ("cuda", "gw5", 4, "cuda:1"),
        ("cuda", "gw1", 1, "cuda"),
        ("cuda", "gw1", 0, "cuda"),
        ("cuda", "", 4, "cuda"),
        ("cuda:2", "gw1", 4, "cuda:2"),
        ("cpu", "gw1", 4, "cpu"),
    ],
)
def test_a_gpu_per_worker(device: str, worker: str, count: int, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """``device_count`` counts what CUDA_VISIBLE_DEVICES leaves, and ``cuda:N`` is the Nth of those."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    assert plugin_options._device(config(device, worker)) == expected


SUITE = """
import pytest
pytestmark = pytest.mark.mpcheck

@pytest.mark.parametrize("n", [pytest.param(n, marks=pytest.mark.xdist_group(f"g{n // 2}")) for n in range(6)])
def test_work(n): pass

def test_ungrouped(): pass
"""
FOREIGN = "def test_foreign(): pass\n"


class Seen:
    """What pytest collects."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.names = [item.name for item in session.items]


def collected(where: Path, shard: str) -> tuple[int, list[str]]:
    seen = Seen()
    without = [f"-pno:{name}" for name in ("randomly", "benchmark", "cacheprovider", "terminal")]
    code = pytest.main([str(where), "--collect-only", "-c", "/dev/null", f"--rootdir={where}", *without, f"--mp-shard={shard}"], plugins=[seen])
    for name in ("test_suite", "test_foreign"):
        sys.modules.pop(name, None)
    return int(code), seen.names


def test_every_test_is_in_one_shard_and_foreign_ones_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "test_suite.py").write_text(SUITE)
    (tmp_path / "test_foreign.py").write_text(FOREIGN)
    found = [collected(tmp_path, f"{k}/3")[1] for k in (1, 2, 3)]
    assert all("test_foreign" in tests for tests in found)
    own = Counter(t for tests in found for t in tests if t != "test_foreign")
    assert own == Counter([*(f"test_work[{n}]" for n in range(6)), "test_ungrouped"])
    assert all(("test_work[0]" in tests) == ("test_work[1]" in tests) for tests in found)
    assert collected(tmp_path, "1/4")[0] == 2
    assert len(collected(tmp_path, "")[1]) == 8


def strip(cells: list[Record]) -> list[Record]:
    return [c.model_copy(update={"seconds": 0.0}) for c in cells]


@pytest.mark.slow
def test_shards_of_a_real_run_merge_into_it(tmp_path: Path, cache: Path) -> None:
    """Digests of every tensor are among what is compared."""
    options = ["--system", "builtin:water", "--block", "readouts.0*", "--block", "readouts.1", "--backend", "e3nn", "--cache", str(cache)]
    for shard in ("", "1/2", "2/2"):
        place = tmp_path / (shard.replace("/", "of") or "whole")
        command = [sys.executable, "-m", "mpcheck", "run", "builtin:hco", *options, "--out", str(place), "--shard", shard]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    assert main(["merge", str(tmp_path / "1of2"), str(tmp_path / "2of2"), "--out", str(tmp_path / "merged")]) == 0
    whole, merged, *parts = (read_records(tmp_path / name / "precision.json") for name in ("whole", "merged", "1of2", "2of2"))
    assert strip(merged.records) == strip(whole.records)
    # their ratios depend on how often TorchScript has run a module before, by hundredths of the noise
    assert [(g["system"], g["name"], g["failure"]) for g in merged.records] == [(g["system"], g["name"], g["failure"]) for g in whole.records]
    assert whole.records
    assert merged.options == whole.options
    assert all(0 < len(part.records) < len(whole.records) for part in parts)
    assert [part.options["shard"] for part in parts] == ["1/2", "2/2"]
    assert main(["compare", str(tmp_path / "whole"), str(tmp_path / "merged")]) == 0


@pytest.mark.parametrize("shard", ["3/2", "x", "1/900"])
def test_a_bad_shard_is_one_line(shard: str, tmp_path: Path, cache: Path, capfd: pytest.CaptureFixture[str]) -> None:
    options = ["--system", "builtin:isolated", "--block", "readouts.*", "--backend", "e3nn", "--format", "bf16", "--cache", str(cache)]
    assert main(["run", "builtin:hco", *options, "--out", str(tmp_path), "--shard", shard]) == 2
    (line,) = [line for line in capfd.readouterr().err.splitlines() if line]
    assert line.startswith("mpcheck: error: --shard")
    assert not (tmp_path / "precision.json").exists()
