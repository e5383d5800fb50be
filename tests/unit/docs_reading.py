"""Reading documentation as a reader does: which commands it tells, which links it has."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mpcheck.sessions.registry import sessions

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
AT_ROOT = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")]
PAGES = sorted(path for path in [*AT_ROOT, *DOCS.glob("*.md")] if path.is_file())
SHIPPED = sorted(path for folder in ("docs/includes", "mpcheck/gate/templates") for path in (ROOT / folder).iterdir() if path.is_file())
"""Files that pages show, or that are copied."""
_SNIPPET = re.compile(r'^\s*--8<-- "(.+)"$', re.MULTILINE)
_FENCE = re.compile(r"^(```+)[^\n]*\n(.*?)^\1\s*$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=.*", re.DOTALL)
_SEPARATORS = {"&&", "||", ";", "|"}


@dataclass(frozen=True)
class Command:
    """A command that a page tells its reader to type.

    Attributes:
        words: after the program's name. whole: told in a block, to be typed as it stands, and not merely named in a sentence.
    """

    where: str
    program: str
    words: tuple[str, ...]
    whole: bool

    def __str__(self) -> str:
        return f"{self.where}: {self.program} {' '.join(self.words)}"


def blocks(text: str) -> Iterator[str]:
    """Fenced and indented code."""
    for found in _FENCE.finditer(text):
        yield found[2]
    rest = _FENCE.sub("", text)
    yield from ("\n".join(line[4:] for line in part.splitlines()) for part in re.findall(r"(?:^    .*\n?)+", rest, re.MULTILINE))


def split(line: str) -> Iterator[list[str]]:
    """The simple commands of a shell line, without prompt, comment, assignments and redirections."""
    line = re.split(r"\s#\s", line.strip().removeprefix("$ "), maxsplit=1)[0]
    try:
        words = shlex.split(line.replace(";", " ; "))
    except ValueError:
        return  # a line of prose, or of a quotation that goes on
    command: list[str] = []
    for word in [*words, ";"]:
        if word in _SEPARATORS:
            if command:
                yield command
            command = []
        elif command or not _ASSIGNMENT.fullmatch(word):
            command.append(word)


def program(words: list[str]) -> tuple[str, tuple[str, ...]] | None:
    """``mpcheck`` or ``nox`` and what follows it, by whatever path it is called."""
    name = words[0].rpartition("/")[2]
    if name in ("mpcheck", "nox"):
        return name, tuple(words[1:])
    if len(words) > 2 and words[1] == "-m" and words[2] in ("mpcheck", "nox"):
        return words[2], tuple(words[3:])
    return None


def commands(path: Path) -> Iterator[Command]:
    """Every command of ours in a page, or in a file that is copied."""
    where, text = path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")
    markdown = path.suffix == ".md"
    sources = [(part, True) for part in blocks(text)] if markdown else [(text, True)]
    if markdown:
        sources += [(span, False) for span in _INLINE.findall(_FENCE.sub("", text))]
    for source, whole in sources:
        for line in source.replace("\\\n", " ").splitlines():
            if not markdown and line.lstrip().startswith("#") and "mpcheck " not in line:
                continue
            for words in split(line.lstrip("#") if not markdown else line):
                found = program(words)
                if found is not None and found[1] and not found[1][0].startswith((":", "=", "(")):
                    kept = [w for w in found[1] if not re.match(r"\d?[<>]", w)]
                    yield Command(where, found[0], tuple(kept), whole)


def links(path: Path) -> Iterator[tuple[str, str]]:
    """Relative links and pictures of a page: file, anchor."""
    text = _FENCE.sub("", path.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" not in target and not target.startswith("mailto:"):
            file, _, anchor = target.partition("#")
            yield file, anchor


def anchors(path: Path) -> set[str]:
    """What headings of a page are called in links."""
    headings = re.findall(r"^#+ (.+)$", _FENCE.sub("", path.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[\s-]+", "-", re.sub(r"[^\w\s-]", "", heading.lower()).strip()) for heading in headings}


def snippets(path: Path) -> list[str]:
    """Files that a page includes."""
    return _SNIPPET.findall(path.read_text(encoding="utf-8"))


def nox_sessions() -> list[str]:
    """Names of the noxfile's sessions, in its order, without running it."""
    tree = ast.parse((ROOT / "noxfile.py").read_text(encoding="utf-8"))
    found: list[str] = []
    for node in tree.body:
        if isinstance(node, ast.For) and "nox.session(" in ast.unparse(node):  # one for each of the package's own
            found += sessions()
        for decorator in node.decorator_list if isinstance(node, ast.FunctionDef) else ():
            if isinstance(node, ast.FunctionDef) and "nox.session" in ast.unparse(decorator):
                keywords = decorator.keywords if isinstance(decorator, ast.Call) else []
                found += [str(ast.literal_eval(k.value)) for k in keywords if k.arg == "name"] or [node.name]
    return found
