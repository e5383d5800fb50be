"""Sessions of several checks from the command line, as their users run them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import torch

from mpcheck.records.document import Records, read_records
from tests.unit import forked

SMALL = ("--system", "builtin:solvents:2", "--backend", "e3nn", "--format", "float64", "--format", "bfloat16", "--block", "readouts.0*")


def mpcheck(cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return forked.run(["-m", "mpcheck", *arguments], cwd)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sessions")


@pytest.mark.parametrize(("suite", "checks"), [("symmetry", ("equivariance", "layout")), ("audit", ("engagement", "dtypes", "accumulation"))])
def test_a_session_ends_with_its_tables_and_files(suite: str, checks: tuple[str, ...], place: Path, cache: Path) -> None:
    chosen = [part for check in checks for part in ("--check", check)]
    process = mpcheck(place, suite, "builtin:hco", *SMALL, *chosen, "--cache", str(cache), "--out", str(place / suite))
    assert process.returncode == 0, process.stdout + process.stderr
    assert process.stderr == ""
    assert "readouts.0.linear" in process.stdout
    assert all(len(line) <= 100 for line in process.stdout.splitlines() if "wrote" not in line and line.startswith(("readouts", "model", "subject")))
    run: Records = read_records(place / suite / f"{suite}.json")
    assert {f.check for f in run.records} == set(checks)
    assert not [f for f in run.records if f.verdict == "fail"]
    assert sorted(p.name for p in (place / suite).iterdir()) == [f"{suite}.json", f"{suite}.md", f"{suite}.xml"]
    assert f"# mpcheck {suite}: PASS" in (place / suite / f"{suite}.md").read_text()


@pytest.mark.skipif(torch.cuda.is_available(), reason="says what is said without a CUDA device")
def test_without_cuda_nothing_is_judged(place: Path, cache: Path) -> None:
    process = mpcheck(place, "audit", "--device", "cuda", "--check", "engagement", *SMALL, "--cache", str(cache), "--out", str(place / "cuda"))
    assert process.returncode == 2, process.stdout + process.stderr
    assert "no CUDA device" in process.stdout
    assert {record.verdict for record in read_records(place / "cuda" / "audit.json").records} == {"unsupported"}
