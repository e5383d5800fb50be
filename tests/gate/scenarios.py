"""One pull request through the reusable workflow. The tests judge what comes out; tools/gate_examples.py puts it into the documentation."""

from __future__ import annotations

from pathlib import Path

from tests.gate.adopter import git
from tests.gate.workflow import Runner

SESSIONS = {"fault": "precision"}
"""The latency of a block that is wrong is of no interest here; the others run what mpcheck.toml says."""


def pull_request(name: str, repository: Path, home: Path) -> Runner:
    """Gate a branch of :func:`tests.gate.adopter.fork` against its main."""
    home.mkdir(parents=True)
    inputs = {"sessions": SESSIONS[name]} if name in SESSIONS else {}
    runner = Runner(home, repository, name, git(repository, "rev-parse", "main"), inputs)
    runner.run()
    return runner
