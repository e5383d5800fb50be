"""``mpcheck gate`` as it is typed: exit status, what is printed, and bad input that ends before anything is measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import mpcheck.gate.run as run_module
from mpcheck._errors import InputError
from mpcheck.cli.main import main
from mpcheck.gate.outcome import Outcome
from mpcheck.gate.sessions import Crash
from tests.gate.adopter import git
from tests.unit.gate.outcomes import HOSTILE, results


@pytest.fixture(autouse=True)
def nobody_elses_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT", "MPCHECK_GATE_ROOT", "MPCHECK_GATE_OUT", "MPCHECK_GATE_BASE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    where = tmp_path / "repository"
    where.mkdir()
    (where / "mpcheck.toml").write_text("[gate]\n")
    git(where, "init", "--quiet", "-b", "main")
    git(where, "add", ".")
    git(where, "commit", "--quiet", "-m", "one")
    return where


def concludes(monkeypatch: pytest.MonkeyPatch, outcome: Outcome) -> None:
    monkeypatch.setattr(run_module, "gate", lambda *_: outcome)


@pytest.mark.parametrize(("verdict", "code"), [("pass", 0), ("fail", 1), ("unsupported", 2)])
def test_exit_status(verdict: str, code: int, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    concludes(monkeypatch, Outcome("", "abc", results(("x.y", verdict))))
    assert main(["gate", "--root", str(root)]) == code
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith(("PASS: head abc", "FAIL: head abc", "NOTHING JUDGED: head abc")) for line in lines)
    assert any(line.startswith("error: mpcheck audit: x.y") for line in lines) == (code == 1)
    assert not any(line.startswith("::") for line in lines), "workflow commands are for GitHub only"


def test_nothing_from_data_is_a_command_of_its_own(root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    outcome = Outcome("b", "h", results((HOSTILE, "fail"), reason=HOSTILE), crashes=[Crash("head", "bench", HOSTILE), Crash("base", "", HOSTILE)])
    concludes(monkeypatch, outcome)
    assert main(["gate", "--root", str(root)]) == 1
    told = capsys.readouterr().out
    assert [line[:7] for line in told.splitlines() if "::" in line] == ["::error", "::error"] and "##[" not in told
    assert "\n::error ::owned" not in told and "\x1b" not in told and "\r" not in told


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--base", "nonsense"], "base nonsense: "),
        (["--base", "main"], "base main: head has the very same files"),
        (["--baselines", "gone"], "baselines gone is no directory in"),
        (["--model", "gone.model"], "model gone.model does not exist in"),
        (["--system", "gone.xyz"], "system gone.xyz does not exist in"),
        (["--session", "speed"], "--sessions: speed is no session"),
        (["--install", "a | b"], "--install: 'a | b' needs a shell"),
        (["--config", "gone.toml"], "settings gone.toml does not exist"),
        (["--root", "gone"], "no mpcheck.toml in gone"),
    ],
)
def test_bad_input_is_one_line_and_status_2(
    words: list[str], expected: str, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary"))
    assert main(["gate", "--root", str(root), "--out", str(tmp_path / "out"), *words]) == 2
    told = capsys.readouterr().err
    assert told.startswith(f"mpcheck: error: {expected}") and told.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_somebody_elses_directory_is_not_emptied(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "out" / "head").mkdir(parents=True)
    (tmp_path / "out" / "head" / "mine").write_text("x")
    assert main(["gate", "--root", str(root), "--out", str(tmp_path / "out")]) == 2
    assert "has a head that no gate has written" in capsys.readouterr().err and (tmp_path / "out" / "head" / "mine").is_file()


@pytest.mark.parametrize(("package", "compared"), [("", False), ("fork", True)])
def test_a_repository_without_code_has_nothing_to_compare(package: str, compared: bool, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Someone who gates models only: every pull request would be refused for importing the same files twice."""
    seen: list[Any] = []

    def planned(base: Any, *_: Any) -> Any:
        seen.append(base)
        raise InputError("far enough")

    if package:
        (root / package).mkdir()
        (root / package / "__init__.py").write_text("")
    (root / "notes.txt").write_text("changed")
    monkeypatch.setattr(run_module, "planned", planned)
    assert main(["gate", "--root", str(root), "--base", "main", "--out", str(root.parent / "out")]) == 2
    assert [base is not None for base in seen] == [compared]
