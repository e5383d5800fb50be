"""A survey of a GPU, rehearsed on a processor that poses as one: what only runs on CUDA runs here, and must not raise."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from mpcheck._names import SURVEY_FOUND
from mpcheck.records.document import Records
from mpcheck.records.read import read_document

ROOT = Path(__file__).parents[2]
POSING, STANDINS = (ROOT / "tests" / "fakes" / name for name in ("posing", "standins"))
FIRST = ("smoke", "tensor-cores", "cells")
LATER = ("engagement", "symmetry", "latency", "sweep", "ratios", "mixed")
CONVOLVED = ("openequivariance", "oeq-cells", "oeq-engagement")


def surveyed(out: Path, *parts: str, more: Sequence[Path] = ()) -> Records:
    """Also with stand-ins for packages that only a GPU has, where ``more`` names their folder."""
    paths = os.pathsep.join(map(str, [POSING, ROOT, *more]))
    environment = {**os.environ, "PYTHONPATH": paths, "MPCHECK_TEST_POSING": "1", "OMP_NUM_THREADS": "1"}
    words = [word for part in parts for word in ("--part", part)]
    command = [sys.executable, "-m", "mpcheck", "survey", "--device", "cuda", "--size", "toy", "--minutes", "30", "--out", str(out), *words]
    done = subprocess.run(command, cwd=out.parent, env=environment, capture_output=True, text=True, timeout=1500, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    read = read_document(out / "survey.json")
    assert read is not None
    return read


def held(document: Records, *parts: str, verdict: str = "pass") -> None:
    """Each part has ended well, and was one of a GPU."""
    assert document.environment.device_slug == "cuda-posing-gpu"
    verdicts = {record.subject: record.verdict for record in document.records if record.check == "part"}
    assert verdicts == dict.fromkeys(parts, verdict)


def test_the_first_parts_run_on_what_is_called_a_gpu(tmp_path: Path) -> None:
    document = surveyed(tmp_path / "out", *FIRST)
    held(document, *FIRST)
    sums = {record.format: record for record in document.records if record.subject.startswith("sums")}
    assert sums["tf32"].verdict == "pass", "this GPU is said to have it in hardware"


@pytest.mark.full
def test_the_other_parts_run_on_it(tmp_path: Path) -> None:
    held(surveyed(tmp_path / "out", *LATER), *LATER)


def test_openequivariance_s_parts_run_on_it(tmp_path: Path) -> None:
    document = surveyed(tmp_path / "out", *CONVOLVED, more=[STANDINS])
    held(document, *CONVOLVED)
    (engaged,) = [r for r in document.records if r.check == SURVEY_FOUND and r.subject == "interactions.1" and r.backend == "oeq"]
    assert engaged.verdict == "pass" and engaged.figures["fused convolution"] is True and engaged.figures["calls"] > 0


@pytest.mark.full
def test_without_the_library_they_are_unsupported(tmp_path: Path) -> None:
    held(surveyed(tmp_path / "out", *CONVOLVED), *CONVOLVED, verdict="unsupported")
