"""What `nox -s docs` adds to the pages in docs/: the page of all commands, pages that live at the root, links that lead out of docs/."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import typer.main
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from mpcheck._text import markdown_table  # noqa: E402

AT_ROOT = {"SECURITY.md": "security.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
"""Pages that readers of a repository expect at its root, and what the site calls them."""
_LINK = re.compile(r"(?P<text>\[[^\]]*\])\((?P<target>[^)\s#]+)(?P<anchor>#[^)]*)?\)")
_ROLE = re.compile(r":(?:class|func|data|meth|mod|attr|exc):(?=<code>)")


def commands_page() -> str:
    """Every command with its arguments and options, from the program itself."""
    from mpcheck.cli.main import app

    parts = ["# Commands", "", "Made from `mpcheck --help` of this version. Exit status of every command: 0 green, 1 red, 2 bad input or usage.", ""]
    _describe(parts, "mpcheck", typer.main.get_command(app))
    return "\n".join([*parts, *_pytest_options(), *_settings()])


def _pytest_options() -> list[str]:
    """Options of the pytest plugin, with the sessions that take them."""
    from mpcheck.pytest_plugin.options import OUT, taken

    rows = [(f"`--mp-{name}`", ", ".join(spec.name for spec, _ in every), _cell(every[0][1].option.help)) for name, every in taken().items()]
    lines = ["", "## pytest options", "", "Several names are separated by commas.", ""]
    return [*lines, *markdown_table(("option", "sessions", ""), [*rows, (f"`{OUT}`", "all", "directory of the records and reports")])]


def _settings() -> list[str]:
    """Settings of a gate: field of ``mpcheck.toml``, variable, default."""
    from mpcheck.gate.settings import DECLARED, FIELDS, VARIABLES

    named = {field: variable for variable, field in VARIABLES.items()}
    rows = [(f"`{n}`", f"`{named[n]}`", f"`{_told(FIELDS[n])}`" if FIELDS[n] else "", _cell(one.option.help)) for n, one in DECLARED.items()]
    head = ("field of `[gate]`", "variable", "default", "")
    return ["", "## Settings of a gate", "", "A name before a dot is a table: `[gate.bench]`.", "", *markdown_table(head, rows)]


def _describe(parts: list[str], name: str, command: Any) -> None:
    if children := getattr(command, "commands", None):
        for child, group in children.items():
            _describe(parts, f"{name} {child}", group)
        return

    parts += [f"## {name}", "", " ".join((command.help or "").split()), ""]
    rows = []
    for parameter in command.params:
        if getattr(parameter, "hidden", False) or parameter.name == "help":
            continue
        option = parameter.param_type_name == "option"
        names = ", ".join(f"`{o}`" for o in (*parameter.opts, *parameter.secondary_opts)) if option else f"`{(parameter.name or '').upper()}`"
        shown = (getattr(parameter, "help", None) or "").replace("\\[", "[")  # a bracket that a terminal's markup would take
        default = parameter.default
        if isinstance(default, (str, int, float, Path)) and not isinstance(default, bool) and str(default):
            shown += f" (default: `{default}`)"
        rows.append((names, _cell(shown)))
    parts += markdown_table(("argument or option", ""), rows)


def _told(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").replace("<", "&lt;").split())


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are not in docs/."""
    files.append(File.generated(config, "commands.md", content=commands_page()))
    for source, name in AT_ROOT.items():
        if (ROOT / source).is_file():
            files.append(File.generated(config, name, content=(ROOT / source).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead links that work in the repository to the same pages of the site; what the site does not have becomes its path."""
    home = ROOT if page.file.src_uri in AT_ROOT.values() else ROOT / "docs"

    def lead(match: re.Match[str]) -> str:
        text, target, anchor = match["text"], match["target"], match["anchor"] or ""
        path = (home / target).resolve()
        if "://" in target or not path.is_relative_to(ROOT) or not path.exists():
            return match.group()  # elsewhere; or a broken link, which --strict reports
        inside = path.relative_to(ROOT).as_posix()
        if inside == "README.md" or inside in AT_ROOT:
            return f"{text}({AT_ROOT.get(inside, 'index.md')}{anchor})"
        if inside.startswith("docs/"):
            return f"{text}({inside.removeprefix('docs/')}{anchor})"
        return f"{text[1:-1]} (`{inside}`)"  # the site has no files of the repository: name it

    return _LINK.sub(lead, markdown)


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Take the roles of docstrings off the page: ``:class:`X``` becomes ``X``."""
    return _ROLE.sub("", html)
