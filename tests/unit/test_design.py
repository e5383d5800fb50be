"""The page that draws the house: every place that it names is there, and one place is enough where it says so."""

from __future__ import annotations

import ast
import re
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import pytest

from mpcheck._names import REFERENCE_BACKEND
from mpcheck.sessions.registry import sessions

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "mpcheck"
PAGE = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
ROWS = dict(re.findall(r"^\| (an? [a-zA-Z ]+) \| (.+) \|$", PAGE.partition("## Where to edit")[2].partition("##")[0], re.MULTILINE))


@cache
def texts(path: Path) -> frozenset[str]:
    """Texts in the code of a module."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return frozenset(node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str))


@cache
def filled(path: Path) -> tuple[re.Pattern[str], ...]:
    """Texts with gaps in the code of a module, in which names are put."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    parts = [node.values for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)]
    said = [values for values in parts if sum(len(str(p.value)) for p in values if isinstance(p, ast.Constant)) > 20]
    return tuple(re.compile("".join(re.escape(str(p.value)) if isinstance(p, ast.Constant) else ".+" for p in values)) for values in said)


def homes(text: str) -> list[str]:
    """Modules in whose code a text stands."""
    paths = [path for path in PACKAGE.rglob("*.py") if text in texts(path) or any(one.fullmatch(text) for one in filled(path))]
    return sorted(path.relative_to(PACKAGE).as_posix() for path in paths)


def test_the_page_says_where_to_edit() -> None:
    assert {"a number format", "a backend", "a check", "a session", "an option", "a report column", "a CI provider"} <= set(ROWS)


@pytest.mark.parametrize("thing", ROWS)
def test_what_it_names_is_there(thing: str) -> None:
    places = [word for word in re.findall(r"`([\w./-]+)`", ROWS[thing]) if "/" in word]
    assert places and all((ROOT / place).exists() for place in places)


def test_rooms_that_it_draws_are_those_of_the_package() -> None:
    drawn = set(re.findall(r"\b(\w+)/", PAGE.partition("What the arrows")[0]))
    rooms = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert rooms - {"data"} <= drawn


@pytest.mark.parametrize("name", sessions())
def test_a_session_is_declared_in_one_place(name: str) -> None:
    title = sessions()[name].title
    assert homes(title) == [f"sessions/{name.replace('-', '_')}/__init__.py"]


@pytest.mark.parametrize(
    "help_text", sorted({one.option.help for spec in sessions().values() for one in spec.declared.values()}), ids=lambda text: text[:30]
)
def test_an_option_is_declared_in_one_place(help_text: str) -> None:
    assert len(homes(help_text)) == 1


@pytest.mark.parametrize(
    "point",
    [p for p in entry_points(group="mpcheck.backends") if p.value.startswith("mpcheck.") and p.name != REFERENCE_BACKEND],
    ids=lambda p: p.name,
)
def test_a_backend_is_written_in_one_room(point: EntryPoint) -> None:
    """Besides its entry point. What is judged by default is named once, below all; a name may also be that of a package, whose version is told."""
    others = [place for place in homes(point.name) if not place.startswith("adapters/backends/")]
    assert set(others) <= {"_names.py", "_packages.py"}
