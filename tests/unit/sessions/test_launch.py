"""How a suite is started, and what a session says that cannot begin."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from mpcheck._errors import PREFIX, InputError
from mpcheck.cli.main import main
from mpcheck.records.document import write_records
from mpcheck.sessions.launch import _Refusals, start, status_of, suite_path, suites_in
from mpcheck.sessions.registry import get
from tests.unit import forked
from tests.unit.record_samples import cell, run

BROKEN = """\
import pytest

@pytest.fixture(scope="session")
def measured():
    raise OSError("the launch ended with status 9")

@pytest.mark.parametrize("number", range(3))
def test_one(measured, number):
    pass
"""
START = """\
import sys
import os
from pathlib import Path
import mpcheck.sessions.launch
from mpcheck.sessions.registry import get
mpcheck.sessions.launch.suite_path = lambda _: Path(sys.argv[1])
sys.exit(mpcheck.sessions.launch.start(get("audit"), {}, Path(sys.argv[2]), verbose=len(sys.argv) > 3))
"""


@pytest.mark.parametrize(("given", "passed"), [(0, "--mp-launches=0"), (1, "--mp-launches=1"), (None, ""), (5, "--mp-launches=5")])
def test_a_zero_is_passed_on_where_it_is_not_the_default(given: int | None, passed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words: list[str] = []
    monkeypatch.setattr(pytest, "main", lambda arguments, plugins: words.extend(arguments) or 2)
    start(get("policy"), {"launches": given, "seed": 0, "search": False}, tmp_path)
    told = [word for word in words if word.startswith(("--mp-launches", "--mp-seed", "--mp-search"))]
    assert told == ([passed] if passed else [])


@pytest.mark.parametrize("verbose", [False, True])
def test_a_session_that_cannot_begin_says_why_once(verbose: bool, tmp_path: Path) -> None:
    (tmp_path / "test_broken.py").write_text(BROKEN, encoding="utf-8")
    done = forked.run(["-c", START, str(tmp_path), str(tmp_path / "out"), *(["-v"] if verbose else [])], tmp_path)
    assert done.returncode == 1
    told = [line for line in done.stderr.splitlines() if "could not begin" in line]
    if verbose:
        assert not told and "def measured" in done.stdout
    else:
        assert told == ["3 tests could not begin: OSError: the launch ended with status 9 (--verbose shows where)"]
        assert "Traceback" not in done.stdout + done.stderr and "def measured" not in done.stdout


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
def test_bad_input_is_one_line(
    arguments: tuple[str, ...], expected: str, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPCHECK_CACHE_DIR", str(cache))
    status = main([*arguments])
    said = "".join(capfd.readouterr())
    lines = [line for line in said.splitlines() if PREFIX in line]
    assert status == 2, said
    assert len(lines) == 1, said
    assert expected in lines[0]
    assert "Traceback" not in said


SUITE = get("audit")


def test_a_suite_is_found_whatever_of_it_is_named(tmp_path: Path) -> None:
    path = suite_path(SUITE)
    assert path.is_dir()
    for argument in (path, next(path.glob("test_*.py")), f"{next(path.glob('test_*.py'))}::test_it[a]"):
        assert suites_in([str(argument)], tmp_path) == [SUITE]
    assert suites_in(["."], path) == [SUITE] and suites_in([str(tmp_path), str(path.parent)], tmp_path) == []
    assert suites_in([str(suite_path(spec)) for spec in (get("precision"), SUITE)], tmp_path) == [get("precision"), SUITE]


def written(tmp_path: Path, *records: Any, **changes: Any) -> Path:
    write_records(tmp_path / "precision.json", run(*records, **changes))
    return tmp_path / "precision.json"


@pytest.mark.parametrize(
    ("code", "records", "status", "said"),
    [
        (0, [cell()], 0, ""), (1, [cell(verdict="fail", reason="x")], 1, ""), (2, [cell(verdict="unsupported", reason="x")], 2, ""),
        (0, [cell(verdict="fail", reason="x")], 1, "the tests ended with status 0, their records say FAIL"),
        (1, [cell()], 1, "the tests ended with status 1, their records say PASS"),
    ],
)  # fmt: skip
def test_the_status_is_that_of_tests_and_records_which_must_agree(code: int, records: list[Any], status: int, said: str, tmp_path: Path) -> None:
    came = status_of(code, written(tmp_path, *records), _Refusals())
    assert came == (status, f"CRASHED: {said}" if said else "")


def test_without_records_only_bad_input_is_told_apart(tmp_path: Path) -> None:
    refused, broken = _Refusals(), _Refusals()
    refused.texts["mpcheck: error: no such model"] = None
    broken.broken["Traceback"] = None
    assert status_of(3, tmp_path / "none.json", refused) == (2, "")
    assert status_of(2, tmp_path / "none.json", _Refusals()) == (2, "")
    for code, refusals in ((2, broken), (0, _Refusals())):
        status, said = status_of(code, tmp_path / "none.json", refusals)
        assert status == 1 and said == f"CRASHED: no records were written; pytest's status is {code}"


def test_a_place_that_cannot_be_written_is_refused_before_anything_runs(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"--out .*file/out cannot be written: .*; give another directory"):
        start(SUITE, {}, tmp_path / "file" / "out")


def test_nought_is_handed_on_where_it_is_not_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--launches 0` means no timing; what is empty, or 0 by default, is left out."""
    handed: list[list[str]] = []
    monkeypatch.setattr(pytest, "main", lambda arguments, plugins=(): handed.append(list(arguments)) or 2)
    start(get("policy"), {"model": "builtin:hco", "launches": 0, "seed": 0, "search": False, "budget": ""}, tmp_path)
    assert [a for a in handed[0] if a.startswith("--mp-") and not a.startswith("--mp-out")] == ["--mp-model=builtin:hco", "--mp-launches=0"]


@pytest.mark.parametrize(
    ("name", "device", "workers", "words"),
    [("md", "", 0, ["-n", "2"]), ("md", "cpu", 1, ["-n", "1"]), ("md", "cuda:1", 0, []), ("precision", "", 0, []), ("precision", "", 3, ["-n", "3"])],
)
def test_a_session_of_many_runs_takes_two_processes_on_a_cpu(
    name: str, device: str, workers: int, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handed: list[list[str]] = []
    monkeypatch.setattr(pytest, "main", lambda arguments, plugins=(): handed.append(list(arguments)) or 2)
    start(get(name), {"device": device}, tmp_path, workers)
    place = handed[0].index("-n") if "-n" in handed[0] else len(handed[0])
    assert handed[0][place : place + 2] == words


@pytest.mark.parametrize("more", [(), ("--workers", "2")])
@pytest.mark.parametrize("wrong", [("no.model",), ("--system", "bad.xyz"), ("--block", "no.such.block")])
def test_bad_input_is_one_line_and_writes_over_nothing(wrong: tuple[str, ...], more: tuple[str, ...], tmp_path: Path) -> None:
    """Pytest said besides that it was interrupted, and the JUnit file of an earlier run was replaced by one of an error."""
    (tmp_path / "bad.xyz").write_text("hello\n")
    before = tmp_path / "precision.xml"
    before.write_text("<testsuites/>")
    words = ["-m", "mpcheck", "run", *wrong, "--out", str(tmp_path), *more]
    done = forked.run(words, tmp_path, {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])})
    assert done.returncode == 2 and done.stderr.startswith(PREFIX) and done.stderr.count("\n") == 1, done.stderr
    assert more or not done.stdout.strip(), done.stdout
    assert "Interrupted" not in done.stdout and "error" not in done.stdout
    assert before.read_text() == "<testsuites/>"
    assert {path.name for path in tmp_path.iterdir()} == {"bad.xyz", "precision.xml"}
