"""The gate end to end, without GitHub: a local repository plays the adopter, and the reusable workflow's steps run as written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from mpcheck.records.read import Results, read_results
from tests.gate.adopter import CHANGES, fork, git
from tests.gate.scenarios import pull_request
from tests.gate.workflow import Runner

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fork(tmp_path_factory.mktemp("adopter") / "mace-fork")


@pytest.fixture(scope="module", params=list(CHANGES))
def scenario(request: pytest.FixtureRequest, repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Runner]]:
    before = (git(repository, "status", "--porcelain"), git(repository, "worktree", "list"))
    yield request.param, pull_request(request.param, repository, tmp_path_factory.mktemp(request.param) / "runner")
    assert (git(repository, "status", "--porcelain"), git(repository, "worktree", "list")) == before


def records(runner: Runner, side: str) -> Results:
    return read_results([runner.artifact / side])


def errors(runner: Runner) -> list[tuple[dict[str, str], str]]:
    """Annotations as GitHub parses them: properties and message."""
    found = []
    for line in runner.log.splitlines():
        match = re.match(r"::error ([^:]*)::(.*)$", line)
        if match:
            found.append((dict(pair.split("=", 1) for pair in match[1].split(",")), match[2]))
    return found


def test_verdict(scenario: tuple[str, Runner]) -> None:
    name, runner = scenario
    red = bool(CHANGES[name].block)
    assert runner.codes["Gate"] == int(red), runner.log
    assert f"verdict={'FAIL' if red else 'PASS'}" in runner.read("outputs").splitlines()
    assert records(runner, "head").verdict == ("FAIL" if red else "PASS")
    assert records(runner, "base").verdict == "PASS"


def test_the_right_block_is_named_everywhere(scenario: tuple[str, Runner]) -> None:
    name, runner = scenario
    change, page = CHANGES[name], (runner.artifact / "report.html").read_text()
    if not change.block:
        assert errors(runner) == []
        assert "FAIL" not in runner.read("summary").splitlines()[0]
        return
    properties, message = errors(runner)[0]
    assert properties["title"].endswith(change.block)
    assert properties["file"] == change.file
    lines = git(runner.repository, "show", f"{name}:{change.file}").splitlines()
    line = int(properties["line"])
    assert "def forward(" in "\n".join(lines[line - 1 : line + 2]), "what was changed is in it"
    assert next(text for text in reversed(lines[:line]) if text.startswith("class ")).startswith(f"class {change.owner}(")
    assert message.startswith("e3nn ")
    assert change.block in runner.read("summary") and change.block in page


def test_nobody_else_is_blamed(scenario: tuple[str, Runner]) -> None:
    name, runner = scenario
    change = CHANGES[name]
    blamed = {item.subject for item in records(runner, "head").failures}
    around = {change.block, change.block.rpartition(".")[0]} if change.block else set()
    assert blamed <= around and (change.block in blamed or not change.block)


def test_slow_is_slow_and_right(scenario: tuple[str, Runner]) -> None:
    name, runner = scenario
    head = records(runner, "head")
    sessions = {item.session for item in head.failures}
    assert sessions == {"fault": {"precision"}, "slow": {"bench"}}.get(name, set())


def test_both_sides_really_differ(scenario: tuple[str, Runner]) -> None:
    name, runner = scenario
    said = {side: re.search(rf"^gate: {side} \w+: mace \S+ from (\S+) \(sha256 (\w+)\)$", runner.log, re.MULTILINE) for side in ("base", "head")}
    assert said["base"] is not None and said["head"] is not None
    assert said["base"][1] != said["head"][1] and said["base"][2] != said["head"][2]
    environment = {side: records(runner, side).first.environment for side in ("base", "head")}
    for side, branch in (("base", "main"), ("head", name)):
        assert environment[side].commit == git(runner.repository, "rev-parse", branch)[:12]


def test_nothing_is_left_on_the_runner(scenario: tuple[str, Runner]) -> None:
    _, runner = scenario
    assert runner.codes["Leave nothing on the runner"] == 0, runner.log
    assert not [p for p in runner.workspace.rglob("*") if p.is_file()]  # its temporary directory is emptied by the runner itself
    assert (Path(__file__).parents[2] / "noxfile.py").is_file()


def test_what_is_written(scenario: tuple[str, Runner]) -> None:
    _, runner = scenario
    assert {"report.html", "report.md", "comparison.json", "base", "head"} <= {p.name for p in runner.artifact.iterdir()}
    assert len(runner.read("summary").encode()) < 1 << 20
