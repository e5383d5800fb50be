"""The files that adopters copy do what they say: run for real, with a stand-in for the gate that writes down what it was given."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mpcheck._files.yaml import parse_yaml
from tests.unit.docs_reading import ROOT

TEMPLATES = ROOT / "mpcheck" / "gate" / "templates"
GATE = """#!/bin/bash
# stands in for a python that has mpcheck: says what it was asked, judges by a file of the checkout
test "$1 $2 $3" = "-m mpcheck gate" || exit 64
{ echo "base=$MPCHECK_GATE_BASE"; echo "head=$(git rev-parse HEAD)"; echo "cwd=$PWD"; echo "tmp=$TMPDIR"; } >>"$SEEN"
echo "<html>" >"$MPCHECK_GATE_OUT/report.html"
echo "what the gate printed"
exit "$(cat verdict)"
"""
needs_bash = pytest.mark.skipif(shutil.which("bash") is None or shutil.which("git") is None, reason="no bash or no git here")
pytestmark = needs_bash


def git(repository: Path, *words: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main", "-c", "commit.gpgsign=false"]
    return subprocess.run(["git", *identity, *words], cwd=repository, check=True, capture_output=True, text=True).stdout.strip()


def commit(repository: Path, verdict: int, note: str) -> str:
    (repository / "verdict").write_text(f"{verdict}\n")
    (repository / "note").write_text(note)
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", note)
    return git(repository, "rev-parse", "HEAD")


class Machine:
    """A repository, a stand-in for the gate, and a place for temporary files that must be empty again afterwards."""

    def __init__(self, root: Path) -> None:
        self.repository, self.results, self.tmp, self.seen = root / "a repository", root / "results", root / "tmp", root / "seen"
        for directory in (self.repository, self.tmp):
            directory.mkdir()
        self.python = root / "python"
        self.python.write_text(GATE)
        self.python.chmod(0o755)
        git(self.repository, "init", "-q")
        self.first = commit(self.repository, 0, "first")

    def run(self, template: str, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("MPCHECK_GATE_", "SLURM_", "GIT_"))}
        environment = {**inherited, "TMPDIR": str(self.tmp), "MPCHECK_PYTHON": str(self.python), "SEEN": str(self.seen), **more}
        command = ["bash", str(TEMPLATES / template), *arguments]
        done = subprocess.run(command, cwd=self.repository, env=environment, check=False, capture_output=True, text=True)
        assert not list(self.tmp.iterdir()), "temporary files were left"
        return done

    def cron(self, **more: str) -> subprocess.CompletedProcess[str]:
        return self.run("mpcheck-cron.sh", str(self.repository), str(self.results), "main", **more)

    def told(self) -> list[dict[str, str]]:
        """What the gate was given, a run each."""
        lines = self.seen.read_text().splitlines() if self.seen.exists() else []
        return [dict(line.split("=", 1) for line in lines[i : i + 4]) for i in range(0, len(lines), 4)]

    @property
    def runs(self) -> list[Path]:
        return sorted(path for path in self.results.iterdir() if path.is_dir())


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_cron_judges_each_commit_once_against_the_one_before(machine: Machine) -> None:
    done = machine.cron()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), "green is silent, or cron mails"
    assert machine.cron().returncode == 0
    assert [(run["base"], run["head"]) for run in machine.told()] == [("none", machine.first)], "nothing new, nothing run"
    assert (machine.runs[0] / "report.html").is_file()
    assert not machine.told()[0]["cwd"].startswith(str(machine.repository)), "the user's own checkout is not touched"

    second = commit(machine.repository, 1, "second")
    red = machine.cron()
    assert red.returncode == 1
    assert "what the gate printed" in red.stdout
    assert second[:12] in red.stdout
    assert (machine.told()[1]["base"], machine.told()[1]["head"]) == (machine.first, second)
    commit(machine.repository, 0, "third")
    assert machine.cron().returncode == 0
    assert machine.told()[2]["base"] == second
    commit(machine.repository, 0, "fourth")
    assert machine.cron(MPCHECK_GATE_BASE="none").returncode == 0
    assert machine.told()[3]["base"] == "none"


def test_cron_tries_again_what_was_bad_input(machine: Machine) -> None:
    commit(machine.repository, 2, "settings are wrong")
    assert [machine.cron().returncode for _ in range(2)] == [2, 2]
    assert len(machine.told()) == 2
    assert not (machine.results / "last-commit").exists()


def test_cron_passes_over_a_commit_that_changes_no_file_and_survives_a_rewritten_history(machine: Machine) -> None:
    machine.cron()
    git(machine.repository, "commit", "-q", "--allow-empty", "-m", "nothing")
    assert machine.cron().returncode == 0
    assert len(machine.told()) == 1
    (machine.results / "last-commit").write_text("0" * 40 + "\n")
    assert machine.cron().returncode == 0
    assert machine.told()[1]["base"] == "none"


def test_cron_keeps_the_last_runs_and_nothing_of_anybody_else_is_removed(machine: Machine) -> None:
    machine.results.mkdir()
    (machine.results / "20-notes").mkdir()
    for day in range(1, 6):
        (machine.results / f"2026010{day}T000000Z-{'a' * 12}").mkdir()
    machine.cron(MPCHECK_KEEP="3")
    names = [path.name for path in machine.runs]
    assert "20-notes" in names
    assert [name[:8] for name in names if name != "20-notes"][:2] == ["20260104", "20260105"]
    assert len(names) == 4


def test_cron_wants_its_arguments(machine: Machine) -> None:
    assert machine.run("mpcheck-cron.sh").returncode == 2
    assert machine.run("mpcheck-cron.sh", str(machine.repository / "missing"), str(machine.results)).returncode == 2


@pytest.mark.parametrize("verdict", [0, 1, 2])
def test_slurm_judges_the_commit_and_ends_with_the_gates_status(machine: Machine, verdict: int) -> None:
    head = commit(machine.repository, verdict, "second")
    (machine.repository / "note").write_text("not committed")
    done = machine.run("mpcheck.sbatch", SLURM_SUBMIT_DIR=str(machine.repository), SLURM_JOB_ID="17", MPCHECK_GATE_BASE="HEAD~1")
    assert done.returncode == verdict, done.stderr
    (told,) = machine.told()
    assert (told["base"], told["head"]) == (machine.first, head)
    assert told["tmp"].startswith(str(machine.tmp))
    assert (machine.repository / "mpcheck-reports" / "17" / "report.html").is_file()


def test_slurm_refuses_a_base_that_is_not_there_before_anything_runs(machine: Machine) -> None:
    done = machine.run("mpcheck.sbatch", SLURM_SUBMIT_DIR=str(machine.repository), SLURM_JOB_ID="17", MPCHECK_GATE_BASE="no-such-branch")
    assert done.returncode == 2, "1 would mean red"
    assert not machine.told()


def gitlab_job() -> dict[str, Any]:
    path = TEMPLATES / "gitlab-ci.yml"
    return dict(parse_yaml(path.read_text(encoding="utf-8"), str(path))["mpcheck"])


def test_gitlab_keeps_to_the_schema_and_forks_wait_for_a_member() -> None:
    path = TEMPLATES / "gitlab-ci.yml"
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.gitlab-ci", str(path)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    job = gitlab_job()
    first = job["rules"][0]
    assert "$CI_MERGE_REQUEST_SOURCE_PROJECT_ID != $CI_PROJECT_ID" in first["if"]
    assert (first["when"], first["allow_failure"]) == ("manual", False), "the first rule that fits decides"
    assert job["artifacts"]["when"] == "always", "a red report is the one that is read"


def test_the_script_of_gitlab_runs_the_gate_and_ends_with_its_status(machine: Machine, tmp_path: Path) -> None:
    """Its own lines, with a python3 on the path that makes a stand-in for the environment."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (tmp_path / "gate").write_text(GATE.replace("-m mpcheck gate", "gate  "))
    fake = '#!/bin/bash\nmkdir -p "$3/bin"\nprintf "#!/bin/bash\\n" >"$3/bin/python"\ncp "$GATE" "$3/bin/mpcheck"\nchmod +x "$3"/bin/*\n'
    (folder / "python3").write_text(fake)
    (folder / "python3").chmod(0o755)
    (script,) = gitlab_job()["script"]
    commit(machine.repository, 1, "second")
    out = tmp_path / "out"
    out.mkdir()
    environment = {
        **os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "TMPDIR": str(machine.tmp), "SEEN": str(machine.seen), "GATE": str(tmp_path / "gate"),
        "MPCHECK_GATE_OUT": str(out), "CI_MERGE_REQUEST_DIFF_BASE_SHA": machine.first,
    }  # fmt: skip
    done = subprocess.run(["sh", "-c", script], cwd=machine.repository, env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    assert machine.told()[0]["base"] == machine.first
    assert not list(machine.tmp.iterdir())
