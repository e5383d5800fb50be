"""The symmetry and audit sessions and `mpcheck mix` from the command line, as their users run them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mpcheck._errors import InputError
from mpcheck.records.document import Records, read_records

SMALL = ("--system", "builtin:solvents:2", "--backend", "e3nn", "--format", "float64", "--format", "bfloat16", "--block", "readouts.0*")
PREFIX = "mpcheck: error: "


def mpcheck(cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mpcheck", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd, timeout=300)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sessions")


@pytest.mark.parametrize(("suite", "checks"), [("symmetry", ("equivariance", "layout")), ("audit", ("engagement", "dtypes", "accumulation"))])
def test_a_session_ends_with_its_tables_and_files(suite: str, checks: tuple[str, ...], place: Path) -> None:
    chosen = [part for check in checks for part in ("--check", check)]
    process = mpcheck(place, suite, "builtin:hco", *SMALL, *chosen, "--cache", str(place / "cache"), "--out", str(place / suite))
    assert process.returncode == 0, process.stdout + process.stderr
    assert process.stderr == ""
    assert "readouts.0.linear" in process.stdout
    assert all(len(line) <= 100 for line in process.stdout.splitlines() if "wrote" not in line and line.startswith(("readouts", "model", "subject")))
    run: Records = read_records(place / suite / f"{suite}.json")
    assert {f.check for f in run.records} == set(checks)
    assert not [f for f in run.records if f.verdict == "fail"]
    assert sorted(p.name for p in (place / suite).iterdir()) == [f"{suite}.json", f"{suite}.md", f"{suite}.xml"]
    assert f"# mpcheck {suite}: PASS" in (place / suite / f"{suite}.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("audit", "--check", "nope"), "unknown check 'nope' of the audit session"),
        (("symmetry", "--check", "physics"), "unknown check 'physics' of the symmetry session"),
        (("symmetry", "--block", "nope.*"), "no block matches 'nope.*'"),
        (("audit", "missing.model"), "model missing.model does not exist"),
        (("mix", "builtin:hco", "--swap", "products.0.linear"), "expected BLOCK=BACKEND"),
        (("mix", "builtin:hco", "--swap", "nope=e3nn"), "nope"),
        (("mix", "builtin:hco", "--swap", "products.0.linear=nope"), "unknown backend 'nope'"),
    ],
)
def test_bad_input_is_one_line(arguments: tuple[str, ...], expected: str, place: Path) -> None:
    process = mpcheck(place, *arguments)
    lines = [line for line in (process.stdout + process.stderr).splitlines() if PREFIX in line]
    assert process.returncode == 2, process.stdout + process.stderr
    assert len(lines) == 1, process.stdout + process.stderr
    assert expected in lines[0]
    assert "Traceback" not in process.stdout + process.stderr


def test_without_cuda_nothing_is_judged(place: Path) -> None:
    process = mpcheck(place, "audit", "--device", "cuda", "--check", "engagement", *SMALL, "--out", str(place / "cuda"))
    assert process.returncode in (0, 2)
    if process.returncode == 2:
        assert "no CUDA device" in process.stdout


def test_a_findings_file_of_another_schema(tmp_path: Path) -> None:
    (tmp_path / "f.json").write_text('{"schema_version": 7}')
    with pytest.raises(InputError, match="schema_version is 7, this mpcheck reads 2"):
        read_records(tmp_path / "f.json")
