"""Whole runs, as their users start them: however they are run, and however they end, the records say it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from mpcheck._text import shell
from mpcheck.records.outcome import outcome
from mpcheck.records.read import read_document, read_results

ROOT = Path(__file__).parents[2]
SMALL = {
    "precision": ["--block", "readouts.*", "--backend", "e3nn", "--format", "float32", "--format", "float64"],
    "symmetry": ["--block", "readouts.*", "--backend", "e3nn", "--format", "float64", "--check", "layout", "--check", "equivariance"],
    "audit": ["--block", "readouts.*", "--backend", "e3nn", "--format", "float32", "--check", "engagement", "--check", "dtypes"],
}
COMMAND = {"precision": "run", "symmetry": "symmetry", "audit": "audit"}
FAULT = """\
from mace.modules import blocks
import mace.modules.radial as radial
import torch

forward = radial.BesselBasis.forward
TABLE = {torch.float64: 1.0, torch.bfloat16: 1.0}
radial.BesselBasis.forward = lambda self, x: forward(self, x) * TABLE[x.dtype]
"""


def started(session: str, out: Path, cache: Path, *more: str, site: str = "") -> subprocess.Popen[str]:
    """A run in a process, with code that is executed in it, and in each of its workers, once mace can be imported."""
    (out.parent / "planted.py").write_text(f"from mpcheck.adapters import upstream\n{site}\n")
    path = os.pathsep.join([str(ROOT), str(out.parent)])
    variables = {**os.environ, "OMP_NUM_THREADS": "1", "MPCHECK_CACHE_DIR": str(cache), "PYTHONPATH": path, "PYTEST_PLUGINS": "planted"}
    command = [*SMALL.get(session, []), "--system", "builtin:water", "--out", str(out), *more]
    words = [sys.executable, "-m", "mpcheck", COMMAND[session], "builtin:hco", *command]
    return subprocess.Popen(words, cwd=out.parent, env=variables, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def ended(session: str, out: Path, cache: Path, *more: str, site: str = "") -> tuple[int, str]:
    process = started(session, out, cache, *more, site=site)
    said, _ = process.communicate(timeout=400)
    return process.returncode, said


def plain(path: Path) -> tuple[list[Any], list[Any]]:
    """A run's plan, and its records without times."""
    data = json.loads(path.read_text())
    rows = [*data.get("cells", []), *data.get("golden", []), *data.get("findings", [])]
    return data["plan"], [{k: v for k, v in row.items() if k != "seconds"} for row in rows]


@pytest.mark.slow
@pytest.mark.parametrize("session", SMALL)
def test_every_way_to_run_gives_the_records_of_the_plain_run(session: str, tmp_path: Path, cache: Path) -> None:
    name = f"{session}.json"
    runs = {"plain": [], "workers": ["-n", "2"], "1of2": ["--shard", "1/2"], "2of2": ["--shard", "2/2"]}
    for where, options in runs.items():
        code, said = ended(session, tmp_path / where, cache, *options)
        assert code == 0, said
    merged = subprocess.run(
        [sys.executable, "-m", "mpcheck", "merge", "1of2", "2of2", "--out", "merged"], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert merged.returncode == 0, merged.stdout + merged.stderr
    shuffled = subprocess.run(
        [sys.executable, "-m", "pytest", str(ROOT / "tests" / ("blocks" if session == "precision" else session)), "-q", "-c", "/dev/null",
         f"--rootdir={tmp_path}", "-p", "no:cacheprovider", "-p", "no:benchmark", "--mp-out", "shuffled",
         "--mp-system", "builtin:water", *_as_pytest(SMALL[session])],
        cwd=tmp_path, env={**os.environ, "MPCHECK_CACHE_DIR": str(cache), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert shuffled.returncode == 0, shuffled.stdout + shuffled.stderr
    expected = plain(tmp_path / "plain" / name)
    for where in ("workers", "merged", "shuffled"):
        found = plain(tmp_path / where / name)
        assert found[0] == expected[0], where
        assert list(map(conclusion, found[1])) == list(map(conclusion, expected[1])), where
        for ours, theirs in zip(found[1], expected[1], strict=True):
            # of the whole model, and of golden values, they depend on how often TorchScript has run a module in this process
            assert ours == theirs or abs((ours.get("ratio") or 0.0) - (theirs.get("ratio") or 0.0)) < 0.2, (where, ours, theirs)
            assert ours == theirs or "block" not in ours, "a cell has the same bits in every process"


def conclusion(row: dict[str, Any]) -> tuple[Any, ...]:
    """What a record is about, and what it says."""
    names = ("key", "part", "check", "system", "block", "subject", "name", "backend", "format", "direction", "variant", "verdict", "failure", "limit")
    return tuple(str(row.get(name)) for name in names)


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
    site = "import time\nfrom mpcheck.sessions.precision.suite import Suite\njudge = Suite.judge\n"
    site += "Suite.judge = lambda s, k: (time.sleep(0.3), judge(s, k))[1]"
    process = started("precision", out, cache, "--format", "bfloat16", site=site)
    until = time.monotonic() + 200
    while time.monotonic() < until and not (out / "precision.json").is_file():
        time.sleep(0.1)
    time.sleep(1.5)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=100)
    found = read_document(out / "precision.json")
    assert found is not None and found.state == "interrupted" and outcome(found) == "crashed"
    assert process.returncode == 1 and "CRASHED: precision" in said and "interrupted" in said
    words = [sys.executable, "-m", "mpcheck", "report", str(out), "--markdown", str(out / "r.md"), "--check"]
    told = subprocess.run(words, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False)
    assert told.returncode == 1, shell(words) + told.stdout
    assert "CRASHED" in (out / "r.md").read_text() and 'value="CRASHED"' in (out / "precision.xml").read_text()


@pytest.mark.slow
def test_a_narrower_run_keeps_the_wider_one_and_says_so(tmp_path: Path, cache: Path) -> None:
    out, name = tmp_path / "out", "precision.json"
    assert ended("precision", out, cache)[0] == 0
    wide = (out / name).read_bytes()
    code, said = ended("precision", out, cache, "--backend", "cueq")  # another, wider one: nothing is told of a loss
    assert f"{name}.earlier" not in said and (out / name).read_bytes() != wide
    wide = (out / name).read_bytes()
    code, said = ended("symmetry", out, cache)
    assert code == 0 and (out / name).read_bytes() == wide
    narrow = ["--block", "readouts.0*"]
    SMALL["narrow"], COMMAND["narrow"] = [*SMALL["precision"][2:], *narrow], "run"
    code, said = ended("narrow", out, cache)
    assert code == 0 and f"{name}.earlier" in said and "narrowed: left out" in said
    assert (out / f"{name}.earlier").read_bytes() == wide and (out / name).read_bytes() != wide
    code, said = ended("narrow", out, cache, site="from mpcheck.sessions.run import Session\nSession.cells = lambda self: self.cells_of_nobody")
    assert code == 1 and not (out / name).is_file(), said  # an earlier green is not this run's
    assert (out / f"{name}.earlier").read_bytes() == wide
