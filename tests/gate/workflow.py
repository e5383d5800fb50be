"""The steps of a job of a workflow, run as they are written: ``run:`` by bash, ``env:`` resolved, checkouts and uploads as local copies."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ruamel.yaml

from tests.gate.adopter import git

ROOT = Path(__file__).parents[2]
WORKFLOW = ROOT / ".github" / "workflows" / "precision-gate.yml"
EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")
NOT_LOCAL = ("actions/checkout", "actions/upload-artifact", "$/.github/actions/setup")


def load(path: Path = WORKFLOW) -> dict[str, Any]:
    """A workflow's data."""
    found: dict[str, Any] = ruamel.yaml.YAML(typ="safe", pure=True).load(path)
    return found


def resolve(text: str, context: Mapping[str, str]) -> str:
    """``${{ a || 'b' }}`` in a text. A name that the context lacks is a mistake of the workflow or of this test, never an empty text."""

    def value(match: re.Match[str]) -> str:
        found = ""
        for part in match[1].split("||"):
            part = part.strip()
            found = part[1:-1] if part.startswith("'") else context[part]
            if found:
                break
        return found

    return EXPRESSION.sub(value, text)


@dataclass
class Runner:
    """A machine that runs a job for a repository.

    Attributes:
        home: everything lies in it. repository: is gated. branch: of it, checked out as head. base: commit to compare with.
        inputs: of the workflow's caller. log: what the steps said. codes: their exit statuses, by name.
    """

    home: Path
    repository: Path
    branch: str
    base: str
    inputs: dict[str, str]
    log: str = ""
    codes: dict[str, int] = field(default_factory=dict)

    @property
    def workspace(self) -> Path:
        """Where checkouts go."""
        return self.home / "work"

    @property
    def temporary(self) -> Path:
        """The runner's temporary directory."""
        return self.home / "temporary"

    @property
    def artifact(self) -> Path:
        """What was uploaded."""
        return self.home / "artifact"

    def read(self, name: str) -> str:
        """The summary or the outputs of the job."""
        path = self.home / name
        return path.read_text() if path.is_file() else ""

    def context(self, workflow: Mapping[str, Any]) -> dict[str, str]:
        """Values of expressions: inputs that the caller leaves out have the workflow's defaults."""
        declared = workflow["on"]["workflow_call"]["inputs"]
        assert not set(self.inputs) - set(declared), "an input that the workflow does not have"
        found = {f"inputs.{name}": str(self.inputs.get(name, facts.get("default", ""))) for name, facts in declared.items()}
        outputs = {"trust": "trusted", "environment": "", "base": self.base, "repository": "", "commit": ""}
        found |= {f"needs.admit.outputs.{name}": value for name, value in outputs.items()}
        found |= {"runner.temp": str(self.temporary), "github.workspace": str(self.workspace), "github.event.pull_request.head.sha": ""}
        return found | {"github.sha": git(self.repository, "rev-parse", self.branch)}

    def run(self, job: str = "gate") -> int:
        """Run a job; the exit status of the first step that failed."""
        workflow = load()
        context = self.context(workflow)
        self.workspace.mkdir(parents=True)
        self.temporary.mkdir()
        first = 0
        for step in workflow["jobs"][job]["steps"]:
            always = "always()" in str(step.get("if", "")) or "!cancelled()" in str(step.get("if", ""))
            if first and not always:
                continue
            code = self.script(step, context) if "run" in step else self.action(step, context)
            self.codes[step["name"]] = code
            first = first or code
        return first

    def action(self, step: Mapping[str, Any], context: Mapping[str, str]) -> int:
        """What an action does, done here: GitHub's own are unavailable."""
        name = str(step["uses"]).partition("@")[0]
        assert name in NOT_LOCAL, f"{name} is not known here"
        options = step.get("with", {})
        if name == "actions/checkout" and options["path"] == "mpcheck":
            (self.workspace / "mpcheck").symlink_to(ROOT)
        elif name == "actions/checkout":
            git(self.home, "clone", "--quiet", "--branch", self.branch, str(self.repository), str(self.workspace / options["path"]))
        elif name == "actions/upload-artifact":
            shutil.copytree(resolve(options["path"], context), self.artifact)
        return 0

    def script(self, step: Mapping[str, Any], context: Mapping[str, str]) -> int:
        """A ``run:`` step, by the shell that GitHub takes."""
        here = {
            "GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": str(self.workspace), "RUNNER_TEMP": str(self.temporary),
            "RUNNER_ENVIRONMENT": "self-hosted", "GITHUB_STEP_SUMMARY": str(self.home / "summary"), "GITHUB_OUTPUT": str(self.home / "outputs"),
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]), "MPCHECK_NOX_PYTHON": sys.executable,
        }  # fmt: skip
        own = {name: resolve(str(value), context) for name, value in step.get("env", {}).items()}
        environment = {n: v for n, v in os.environ.items() if not n.startswith(("MPCHECK_", "GITHUB_"))} | here | own
        assert not EXPRESSION.search(step["run"]), "an expression in a script is code from outside"
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=self.workspace, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        self.log += done.stdout
        return done.returncode
