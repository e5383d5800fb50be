"""Text from data is made fit to be shown, and is printed, by `mpcheck._text` and `mpcheck._console` alone."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.hostile import unseen

ROOT = Path(__file__).parents[2]
SHOWING = {"mpcheck/_text.py", "mpcheck/_console.py"}
PRINTS = {
    "mpcheck/bench/launch/worker.py": 1,  # JSON for another process
    "mpcheck/policy/judging/reference_worker.py": 1,  # the same
    "mpcheck/bench/launch/processes.py": 1,
}
ALLOWED = {
    "mpcheck/_progress.py": {r"'\r\x1b[K  \u2026 '", r"'\r\x1b[K'"},  # on a terminal a line overwrites itself
    "mpcheck/report/pictures/words.py": {"translate"},  # superscripts
    "mpcheck/reference/noise.py": {r"'\x00'"},  # between names that are hashed
    "mpcheck/_own.py": {r"'\x00'"},
    "mpcheck/cli/options.py": {"from rich.markup import escape"},  # in help of ours, which typer reads as rich's markup
    "mpcheck/systems/cif.py": {r"'\ufeff'"},  # which some editors begin a file with
    "mpcheck/_files/io.py": {r"'\x00'"},  # in the name of a file, which is refused
    "mpcheck/_files/kinds.py": {r"'\x00'", r"'\ufeff \t\r\n'"},  # by which a binary file is told from text, and what may stand before a text begins
}
PRINTING = re.compile(r"print|(typer|click)\.s?echo|(typer|click)\.secho|sys\.(stdout|stderr)\.write|.*\bConsole|traceback\.print_\w+")
ESCAPING = ("html", "markupsafe", "rich", "xml.sax.saxutils", "curses")


def ad_hoc(source: str) -> Iterator[str]:
    """What of a file escapes, cleans or prints text by itself."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and PRINTING.fullmatch(name := ast.unparse(node.func)):
            yield name
        elif isinstance(node, ast.Import):
            yield from (f"import {a.name}" for a in node.names if a.name.startswith(ESCAPING))
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(ESCAPING):
            yield from (f"from {node.module} import {a.name}" for a in node.names if a.name != "Markup")  # marks what is markup, escapes nothing
        elif isinstance(node, ast.Attribute) and node.attr in ("isprintable", "translate", "unicode_escape"):
            yield node.attr
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and unseen(re.sub(r"[\t\r]+$|^[\t\r]+", "", node.value)):
            yield ascii(node.value)  # a control character in code is there to be looked for, or to be printed


def paths(without: set[str], tools: str = "tools/ci/*.py") -> list[Path]:
    """Code of the package and of tools, but for some files."""
    return sorted(path for path in [*ROOT.glob("mpcheck/**/*.py"), *ROOT.glob(tools)] if path.relative_to(ROOT).as_posix() not in without)


@pytest.mark.parametrize("path", paths(SHOWING), ids=lambda path: str(path.relative_to(ROOT)))
def test_text_is_made_and_shown_in_one_place(path: Path) -> None:
    name = path.relative_to(ROOT).as_posix()
    found = list(ad_hoc(path.read_text(encoding="utf-8")))
    assert found.count("print") == PRINTS.get(name, 0), "print by mpcheck._text.say"
    assert {one for one in found if one != "print"} <= ALLOWED.get(name, set()), "use mpcheck._text"


@pytest.mark.parametrize(
    "source",
    [
        "print(x)", "import typer\ntyper.echo(f'{x}')", "from html import escape", "import html", "import markupsafe",
        "from markupsafe import escape",
        "import re\nre.compile('[\\x00-\\x1f]')", "x.isprintable()", "from rich.console import Console",
        "rich.Console().print(x)",
        "import sys\nsys.stdout.write(x)", "x = '\\u202e'",
    ],
)  # fmt: skip
def test_the_static_test_sees_what_it_forbids(source: str) -> None:
    assert list(ad_hoc(source))


def test_jobs_that_hold_a_token_need_nothing_but_the_standard_library() -> None:
    """They install nothing, so that there is nothing that they could be attacked through."""
    import sys

    tree = ast.parse((ROOT / "mpcheck/_text.py").read_text(encoding="utf-8"))
    names = {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    names |= {n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in names} <= sys.stdlib_module_names
    package = ast.parse((ROOT / "mpcheck/__init__.py").read_text(encoding="utf-8"))  # what it imports when asked for a name is in a function
    assert {n.module for n in package.body if isinstance(n, ast.ImportFrom)} <= {"__future__", "typing"}
    assert not any(isinstance(n, ast.Import) for n in package.body)
    guards = [n for n in package.body if not isinstance(n, (ast.Expr, ast.ImportFrom, ast.Assign, ast.FunctionDef))]
    assert [ast.unparse(n.test) for n in guards if isinstance(n, ast.If)] == ["TYPE_CHECKING"] and len(guards) == 1


BY_HAND = re.compile(r"""\|-{3}|\}…["']|\(" …" if|' …' if|\[: ?\w+ - 1\]|join\((str\()?[\w.]+\)?\.split\(\)\)""")
ELLIPSES = {"mpcheck/report/pictures/words.py", "mpcheck/_errors.py"}  # in the middle of a text


@pytest.mark.parametrize("path", paths(SHOWING | ELLIPSES, "tools/*.py"), ids=lambda path: str(path.relative_to(ROOT)))
def test_tables_and_short_texts_are_made_in_one_place(path: Path) -> None:
    assert not BY_HAND.findall(path.read_text(encoding="utf-8")), "use mpcheck._text: markdown_table, shortened, listed, one_line"
