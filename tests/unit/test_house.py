"""The house stays one that a stranger can read: small modules, each with its test, and nothing written twice."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from keyword import iskeyword
from pathlib import Path
from statistics import median

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted((ROOT / "mpcheck").rglob("*.py"))
RUN = 8
"""So many lines may be alike in two places."""
WORD = re.compile(r"""[rbfu]*(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|\w+""")


def lengths(paths: list[Path]) -> list[int]:
    return [len(path.read_text(encoding="utf-8").splitlines()) for path in paths]


def test_modules_are_small() -> None:
    sizes = lengths(MODULES)
    assert len(sizes) > 300 and median(sizes) <= 120 and max(sizes) <= 300


def has_test(module: Path) -> bool:
    """Whether a test file of its name lies in the same folder of the tests."""
    folders = [part.lstrip("_") for part in module.relative_to(ROOT / "mpcheck").parts]
    return (ROOT / "tests" / "unit" / Path(*folders[:-1]) / f"test_{folders[-1]}").is_file()


def test_four_modules_of_five_have_a_test_of_their_name() -> None:
    modules = [module for module in MODULES if not module.stem.startswith("__")]
    assert sum(map(has_test, modules)) >= 0.8 * len(modules)


def declared(source: str) -> set[int]:
    """Lines that state no logic: imports, fields of classes with what they are, tables of constants, texts that stand alone."""
    found: set[int] = set()
    tables = [node for node in ast.parse(source).body if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)]
    for table in (node for node in tables if node.targets[0].id.isupper()):  # type: ignore[attr-defined]  # names
        found.update(range(table.lineno, (table.end_lineno or table.lineno) + 1))
    for node in ast.walk(ast.parse(source)):
        alone = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if alone or isinstance(node, ast.Import | ast.ImportFrom):
            found.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
        elif isinstance(node, ast.ClassDef):
            lines = [range(field.lineno, (field.end_lineno or 0) + 1) for field in node.body if isinstance(field, ast.AnnAssign)]
            found.update(line for field in lines for line in field)
    return found


def shape(line: str) -> str:
    """A line with its names, texts and numbers all alike; nothing where it has no name: punctuation, or a row of data."""
    words = WORD.sub(lambda found: found[0] if iskeyword(found[0]) else "'" if found["text"] else "0" if found[0][0].isdigit() else "N", line)
    return words if re.search("[A-Za-z]", words) else ""


def logic(source: str) -> list[tuple[int, str]]:
    """Lines of logic, as shapes."""
    left_out = declared(source)
    lines = ((number, line.partition("  # ")[0].strip()) for number, line in enumerate(source.splitlines(), 1) if number not in left_out)
    return [(number, kept) for number, line in lines if not line.startswith("#") and (kept := shape(line))]


def alike(sources: dict[str, str], run: int = RUN) -> Iterator[str]:
    """Places of two modules that have more than ``run`` lines of logic of the same shape."""
    seen: dict[tuple[str, ...], tuple[str, int]] = {}
    for name, source in sources.items():
        lines = logic(source)
        for start in range(len(lines) - run):
            shapes = tuple(text for _, text in lines[start : start + run + 1])
            other, at = seen.setdefault(shapes, (name, lines[start][0]))
            if other != name:
                yield f"{other}:{at} ~ {name}:{lines[start][0]}"


def test_nothing_is_written_twice() -> None:
    sources = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in MODULES}
    assert list(alike(sources)) == []


BODY = "def total(rows):\n" + "".join(f"    x{n} = rows[{n}] + rows.get('a{n}', {n})\n" for n in range(9))


@pytest.mark.parametrize(("other", "found"), [(BODY, True), (BODY.replace("rows", "lines"), True), (BODY.replace("+", "-"), False)])
def test_the_detector_sees_a_copy_and_one_with_other_names(other: str, found: bool) -> None:
    assert bool(list(alike({"a.py": BODY, "b.py": "import os\n\n\n" + other}))) is found


def test_fields_alone_are_no_copy() -> None:
    fields = "class A:\n    'What it is.'\n" + "".join(f"    x{n}: int = {n}\n" for n in range(20))
    assert not list(alike({"a.py": fields, "b.py": fields}))
