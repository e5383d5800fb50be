"""Whole runs, as their users start them: however they are run, and however they end, the records say it."""

from __future__ import annotations

import functools
import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mpcheck._names import GOLDEN, PRECISION
from mpcheck._text import shell
from mpcheck.cli.main import main
from mpcheck.records.document import read_records
from mpcheck.records.outcome import outcome
from mpcheck.records.read import read_document, read_results
from mpcheck.records.record import About, Record
from tests.unit import forked
from tests.unit.whole_runs import ROOT, SMALL, ended, started

FAULT = """\
from mace.modules import blocks
import mace.modules.radial as radial
import torch

forward = radial.BesselBasis.forward
TABLE = {torch.float64: 1.0, torch.bfloat16: 1.0}
radial.BesselBasis.forward = lambda self, x: forward(self, x) * TABLE[x.dtype]
"""


def plain(path: Path) -> tuple[list[Any], list[Any]]:
    """A run's plan, and its records without times."""
    data = json.loads(path.read_text())
    return data["plan"], [{k: v for k, v in row.items() if k != "seconds"} for row in data["records"]]


@pytest.fixture(scope="module")
def ways(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Callable[[str], Path]:
    """By session, the directory of its runs: plain, in two shards, one of them by workers, and merged from them, under pytest; each made once."""

    @functools.cache
    def run(session: str) -> Path:
        where = tmp_path_factory.mktemp(session)
        for name, options in {"plain": [], "1of2": ["--shard", "1/2", "-n", "2"], "2of2": ["--shard", "2/2"]}.items():
            code, said = ended(session, where / name, cache, *options)
            assert code == 0, said
        suite = ROOT / "tests" / ("blocks" if session == "precision" else session)
        commands = [
            ["mpcheck", "merge", "1of2", "2of2", "--out", "merged"],
            ["pytest", str(suite), "-q", "-c", "/dev/null", f"--rootdir={where}", "-p", "no:cacheprovider", "-p", "no:benchmark",
             "--mp-out", "shuffled", "--mp-system", "builtin:water", *_as_pytest(SMALL[session])],
        ]  # fmt: skip
        variables = {**os.environ, "MPCHECK_CACHE_DIR": str(cache), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        for command in commands:
            done = forked.run(["-m", *command], where, variables)
            assert done.returncode == 0, done.stdout + done.stderr
        return where

    return run


@pytest.mark.slow
@pytest.mark.parametrize("session", SMALL)
def test_every_way_to_run_gives_the_records_of_the_plain_run(session: str, ways: Callable[[str], Path]) -> None:
    name, place = f"{session}.json", ways(session)
    expected = plain(place / "plain" / name)
    assert expected[1]
    for where in ("merged", "shuffled"):
        plan, rows = plain(place / where / name)
        assert plan == expected[0], where
        assert list(map(conclusion, rows)) == list(map(conclusion, expected[1])), where
        for ours, theirs in zip(rows, expected[1], strict=True):
            # of the whole model, and of golden values, they depend on how often TorchScript has run a module in this process
            assert ours == theirs or abs((ours.get("ratio") or 0.0) - (theirs.get("ratio") or 0.0)) < 0.2, (where, ours, theirs)
            assert ours == theirs or ours["check"] != PRECISION, "a cell has the same bits in every process"


def conclusion(row: dict[str, Any]) -> tuple[Any, ...]:
    """What a record is about, and what it says."""
    return tuple(str(row.get(name)) for name in ("key", "part", *About.model_fields, "verdict", "limit"))


@pytest.mark.slow
def test_shards_of_a_real_run_merge_into_it(ways: Callable[[str], Path]) -> None:
    """Digests of every tensor are among what is compared."""
    where = ways("precision")
    whole, merged, *parts = (read_records(where / name / "precision.json") for name in ("plain", "merged", "1of2", "2of2"))
    assert strip(merged.of(PRECISION)) == strip(whole.of(PRECISION)) and whole.of(PRECISION)
    # their ratios depend on how often TorchScript has run a module before, by hundredths of the noise
    assert [(r.id, r.reason) for r in merged.of(GOLDEN)] == [(r.id, r.reason) for r in whole.of(GOLDEN)]
    assert merged.options == whole.options
    assert all(0 < len(part.of(PRECISION)) < len(whole.of(PRECISION)) for part in parts)
    assert [part.options["shard"] for part in parts] == ["1/2", "2/2"]
    assert main(["compare", str(where / "plain"), str(where / "merged")]) == 0


def strip(cells: list[Record]) -> list[Record]:
    return [c.model_copy(update={"seconds": 0.0}) for c in cells]


def _as_pytest(options: list[str]) -> list[str]:
    chosen: dict[str, list[str]] = {}
    for name, value in zip(options[::2], options[1::2], strict=True):
        chosen.setdefault(name.removeprefix("--"), []).append(value)
    return [f"--mp-{name}={','.join(values)}" for name, values in chosen.items()]


@pytest.mark.slow
def test_a_table_of_types_without_float32_is_red_and_names_the_frame(tmp_path: Path, cache: Path) -> None:
    code, said = ended("precision", tmp_path / "out", cache, "--block", "radial_embedding*", "--format", "float32", site=FAULT)
    results = read_results([tmp_path / "out"])
    assert code == 1 and results.verdict == "FAIL", said
    reasons = {(i.subject, i.reason) for i in results.failures if i.format == "float32" and i.subject == "radial_embedding.bessel_fn"}
    assert reasons and all("raised KeyError: torch.float32 in" in reason for _, reason in reasons)
    assert "FAIL: precision" in said


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_process_that_dies_leaves_no_green(workers: str, tmp_path: Path, cache: Path) -> None:
    """Of a worker: its cell is red. Of the run: its records say that it has not ended."""
    site = FAULT.replace("* TABLE[x.dtype]", "if x.dtype != torch.float32 else __import__('os')._exit(0)")
    code, said = ended("precision", tmp_path / "out", cache, "--block", "radial_embedding*", "--format", "float32", "-n", workers, site=site)
    found = read_document(tmp_path / "out" / "precision.json")
    assert found is not None
    if workers == "0":
        assert code == 0 and outcome(found) == "crashed" and found.state == "running"  # the judged code chose the status; the records tell
    else:
        assert code == 1, said
        assert outcome(found) in ("fail", "crashed")


@pytest.mark.slow
def test_an_interrupted_run_is_no_pass(tmp_path: Path, cache: Path) -> None:
    out = tmp_path / "out"
    begun = tmp_path / "judging"
    site = "import time\nfrom pathlib import Path\nfrom mpcheck.sessions.precision.suite import Suite\njudge = Suite.judge\n"
    site += f"Suite.judge = lambda s, k: (Path({str(begun)!r}).touch(), time.sleep(30.0), judge(s, k))[2]"
    process = started("precision", out, cache, "--format", "bfloat16", site=site)
    until = time.monotonic() + 200
    while time.monotonic() < until and not begun.is_file():  # inside of torch's interpreter an interrupt may become another error
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=100)
    found = read_document(out / "precision.json")
    assert found is not None and found.state == "interrupted" and outcome(found) == "crashed"
    assert process.returncode == 1 and "CRASHED: precision" in said and "interrupted" in said
    words = ["-m", "mpcheck", "report", str(out), "--markdown", str(out / "r.md"), "--check"]
    told = forked.run(words, tmp_path, {**os.environ, "PYTHONPATH": str(ROOT)})
    assert told.returncode == 1, shell(words) + told.stdout
    assert "CRASHED" in (out / "r.md").read_text() and 'value="CRASHED"' in (out / "precision.xml").read_text()
