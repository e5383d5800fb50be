"""What is typed of the README and the pages, and what the list of those that are not may say."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.unit.docs_reading import ROOT
from tests.wheel import newcomer, pages


def test_the_newcomer_types_what_the_readme_begins_with() -> None:
    first, *commands = newcomer.typed()
    assert first == newcomer.INSTALL
    assert [c.split()[1] for c in commands] == ["policy", "run", "report", "run", "run", "compare"]
    assert all(any(c.startswith(begun) for begun in newcomer.PROMISED) for c in commands)


@pytest.mark.parametrize(
    ("status", "out", "error", "wrong"),
    [
        (0, "\nPASS: precision\nmodel my.model: Na Cl\n1 of 3 frames", "", ""),
        (1, "\nPASS: precision\nmodel my.model: Na Cl\n1 of 3 frames", "", "exit status 1"),
        (0, "\nPASS: precision\nmodel my.model: Na Cl\n1 of 3 frames", "UserWarning", "something on standard error"),
        (0, "model my.model: Na Cl", "", "its output lacks what the README promises"),
    ],
)  # fmt: skip
def test_a_broken_promise_is_seen(status: int, out: str, error: str, wrong: str, tmp_path: Path) -> None:
    done = subprocess.CompletedProcess(["mpcheck"], status, out, error)
    assert newcomer.missing("mpcheck run my.model", done, tmp_path) == wrong


def test_every_command_of_the_pages_is_run_or_listed_with_a_reason() -> None:
    every = pages.typed()
    assert list(pages.unaccounted(every, pages.reasons())) == []
    run = [command for command in every if not pages.reason_of(command, pages.reasons())]
    assert len(run) > 25 and all(command.words[0] == "mpcheck" for command in run)


def test_a_command_that_nobody_lists_and_an_entry_of_no_command_are_told(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("    git push --force        # a comment\n    mpcheck run a.model\n\n```sh\nmpcheck \\\n  blocks a.model\n```\n")
    every = pages.typed([page])
    assert [command.text for command in every] == ["mpcheck blocks a.model", "git push --force", "mpcheck run a.model"]
    told = list(pages.unaccounted(every, {"sbatch *": "needs a batch system", "mpcheck run *": "no"}))
    assert len(told) == 3 and "`git push --force` is none of mpcheck's" in told[0]
    assert "no page has a command like `sbatch *`" in told[1] and "needs a reason" in told[2]


def test_ci_types_them() -> None:
    assert "session newcomer\n" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "session: newcomer," in (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
