"""The name of a session is written in its own folder only: elsewhere it comes from the registry."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import mpcheck
from mpcheck.sessions.registry import sessions

PACKAGE = Path(mpcheck.__file__).parent
ALLOWED = {
    "_names.py": "names of checks: precision, profile",
    "report/earlier.py": "the ending of Markdown files",
    "report/write.py": "likewise",
    "records/detail.py": "kind of a detail, as files have it",
    "history/ratios.py": "the field suite of stored files, which stays whatever the session is called",
    "history/latency/baseline.py": "likewise",
    "adapters/compiling.py": "training, a flag of upstream's forward",
    "adapters/stored/converted.py": "likewise",
    "checks/uses/asking.py": "likewise",
    "checks/uses/modes.py": "training, a property",
    "checks/symmetry/model_symmetry.py": "a label of the random stream: another one would change every draw",
}


def literals(path: Path) -> Iterator[tuple[int, str]]:
    """Texts in code, not in docstrings, that are a session's name or begin with it and a dot, as names of files do."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.partition(".")[0] in sessions():
            yield node.lineno, node.value


def modules() -> list[str]:
    return sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py") if "sessions" not in path.relative_to(PACKAGE).parts[:1])


def test_there_is_something_to_look_at() -> None:
    assert len(modules()) > 200 and len(sessions()) >= 5
    assert list(literals(PACKAGE / "sessions" / "bench" / "__init__.py")), "what declares a session names it"


@pytest.mark.parametrize("name", [name for name in modules() if name not in ALLOWED])
def test_no_session_is_named(name: str) -> None:
    assert list(literals(PACKAGE / name)) == [], "ask mpcheck.sessions.registry, or a field of the session's declaration"


@pytest.mark.parametrize("name", ALLOWED)
def test_an_exception_is_needed(name: str) -> None:
    assert list(literals(PACKAGE / name)), f"{name} names none any more: take it from the list"
