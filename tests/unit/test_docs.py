"""What the documentation tells is there: commands, options, sessions, links, pictures, settings; and the counts that it promises."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
import typer.main
from pydantic import BaseModel

from mpcheck.cli.main import app
from mpcheck.gate.settings import FIELDS, GateSettings, read_settings
from mpcheck.history.gates import GateEntry
from mpcheck.pytest_plugin import plugin
from mpcheck.records.document import Records
from mpcheck.records.record import Record
from mpcheck.records.tensors import Quantity, Worst
from tests.unit.docs_reading import DOCS, PAGES, ROOT, SHIPPED, Command, anchors, commands, links, nox_sessions, program, snippets, split

ALL = [command for path in [*PAGES, *SHIPPED] for command in commands(path)]
NEWCOMER = re.compile(r"<!-- newcomer: (\d+) -->.*?```sh\n(.*?)```", re.DOTALL)
SUITES = {"precision", "symmetry", "audit", "bench"}


class _Parser:
    """What the plugins add to pytest's options."""

    def __init__(self) -> None:
        self.found: set[str] = set()

    def getgroup(self, *_: Any) -> _Parser:
        return self

    def addoption(self, name: str, **_: Any) -> None:
        self.found.add(name)

    addini = addoption


def pytest_options() -> set[str]:
    parser: Any = _Parser()
    plugin.pytest_addoption(parser)
    return set(parser.found)


def refused(words: tuple[str, ...], whole: bool) -> str:
    """Why the command line would not take these words; empty where it would."""
    command: Any = typer.main.get_command(app)
    name, rest = "mpcheck", list(words)
    while (children := getattr(command, "commands", None)) is not None:
        if not rest or rest[0] in {"--help", *(word for option in command.params for word in option.opts)}:
            return ""
        if rest[0] not in children:
            return f"{name} has no command {rest[0]}"
        name, command = f"{name} {rest[0]}", children[rest.pop(0)]
    if "--help" in rest:
        return ""
    try:
        command.make_context(name, rest)
    except typer.BadParameter as error:
        missing = type(error).__name__ == "MissingParameter"  # a sentence may name a command without its arguments
        return "" if missing and not whole else error.format_message()
    except Exception as error:  # what click raises is private in typer, and a refusal is one whatever its class
        return f"{type(error).__name__}: {error}"
    return ""


def test_there_are_commands_to_check() -> None:
    assert len([c for c in ALL if c.program == "mpcheck" and c.whole]) > 40
    assert refused(("run", "--no-such-option"), True)
    assert refused(("no-such-command",), True)
    assert refused(("run", "my.model", "--seed", "many"), True)
    assert not refused(("run", "my.model", "--format", "bf16"), True)


@pytest.mark.parametrize("command", [c for c in ALL if c.program == "mpcheck"], ids=str)
def test_every_mpcheck_command_would_be_taken(command: Command) -> None:
    assert not refused(command.words, command.whole), refused(command.words, command.whole)


@pytest.mark.parametrize("command", [c for c in ALL if c.program == "nox" and "-s" in c.words[:-1]], ids=str)
def test_every_nox_command_names_sessions_and_options_that_exist(command: Command) -> None:
    words = command.words[: command.words.index("--")] if "--" in command.words else command.words
    chosen = [w for w in words[words.index("-s") + 1 :] if not w.startswith("-")]
    assert chosen
    assert set(chosen) <= set(nox_sessions())
    if "--" in command.words and set(chosen) <= SUITES:
        asked = {w.partition("=")[0] for w in command.words[command.words.index("--") :] if w.startswith("--mp-")}
        assert asked <= pytest_options()


@pytest.mark.parametrize("path", PAGES, ids=lambda p: p.name)
def test_every_link_and_picture_leads_somewhere(path: Path) -> None:
    for file, anchor in links(path):
        target = (path.parent / file).resolve() if file else path
        assert target.exists(), f"{path.name}: {file}"
        if anchor and target.suffix == ".md" and "::: " not in target.read_text(encoding="utf-8"):
            assert anchor in anchors(target), f"{path.name}: {file}#{anchor}"


@pytest.mark.parametrize("path", PAGES, ids=lambda p: p.name)
def test_what_a_page_includes_exists(path: Path) -> None:
    for name in snippets(path):
        assert (ROOT / name).is_file() or (DOCS / "includes" / name).is_file(), name


def test_every_session_is_told_of_and_no_other() -> None:
    text = (DOCS / "index.md").read_text(encoding="utf-8").partition("## Sessions")[2]
    named = [name for cell in re.findall(r"^\| (`[^|]+`) \|", text, re.MULTILINE) for name in re.findall(r"`([\w-]+)`", cell)]
    assert sorted(named) == sorted(nox_sessions())
    rows = re.findall(r"^\| `([\w-]+)` \|.*\]\(([^)#]+)", text, re.MULTILINE)
    for name in ("precision", "symmetry", "audit", "bench", "profile", "gate"):
        assert (name, f"{name}.md") in rows
    for name in (*SUITES, "profile", "gate", "faults"):
        assert f"docs/{name}.md" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_command_of_the_program_is_told_of_somewhere() -> None:
    """Groups count by their children: ``baseline show`` is one."""
    told = {c.words[:2] for c in ALL if c.program == "mpcheck"}
    group: Any = typer.main.get_command(app)
    for name, command in group.commands.items():
        if not getattr(command, "hidden", False):
            assert any(words[0] == name for words in told), name


def test_one_page_says_which_command_is_needed() -> None:
    table = (DOCS / "index.md").read_text(encoding="utf-8").partition("## Which command do I need?")[2].partition("\n## ")[0]
    told = set(re.findall(r"`mpcheck ([a-z]+(?:-[a-z]+)*)", table))
    group: Any = typer.main.get_command(app)
    assert told == {name for name, command in group.commands.items() if not getattr(command, "hidden", False)}


def test_a_newcomer_types_as_many_commands_as_the_page_says() -> None:
    text = (DOCS / "adopt.md").read_text(encoding="utf-8")
    ((promised, block),) = NEWCOMER.findall(text)
    typed = [line for line in block.splitlines() if line.strip()]
    assert len(typed) == int(promised)
    assert not any(word in block for word in ("&&", ";", "|", "\\\n")), "one command a line, or the count means nothing"
    assert typed[-1].startswith("mpcheck gate")
    told = [line for line in text.splitlines() if re.match(r"\| .*\]\(#\w+\)", line)]
    assert len(told) == 4
    assert all(line.split("|")[-2].strip() == promised for line in told)
    numbers = ("", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten")
    assert f"{numbers[int(promised)]} commands from an empty directory" in text
    assert f"{numbers[int(promised)]} commands from an empty directory" in (ROOT / "README.md").read_text(encoding="utf-8")
    for line in typed:
        for words in split(line):
            found = program(words)
            assert found is None or not refused(found[1], True), line


def test_each_way_to_adopt_shows_the_file_that_init_copies() -> None:
    page = DOCS / "adopt.md"
    shown = [name for name in snippets(page) if name.startswith("mpcheck/gate/templates/")]
    text = page.read_text(encoding="utf-8")
    assert len(shown) == 5 and "mpcheck/gate/templates/mpcheck-hosted.yml" in shown
    for ci, template in {"github": "mpcheck.yml", "gitlab": "gitlab-ci.yml", "slurm": "mpcheck.sbatch", "cron": "mpcheck-cron.sh"}.items():
        assert f"mpcheck/gate/templates/{template}" in shown
        assert re.search(rf"\]\(#{ci}\).*\| `{ci}` \|", text), ci


def test_the_settings_of_a_gate_are_those_that_it_has() -> None:
    section = (DOCS / "gate.md").read_text(encoding="utf-8").partition("## Settings")[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    told = {name for row in rows for name in re.findall(r"`([a-z-]+)`", row)}
    assert told == {name.replace("_", "-") for name in GateSettings.model_fields}
    row = next(line for line in section.splitlines() if line.startswith("| `bench`"))
    own = {name.removeprefix("bench.") for name in FIELDS if name.startswith("bench.")}
    assert set(re.findall(r"`([a-z-]+)`", row.split("|")[3])) == own


@pytest.mark.parametrize("model", [Records, Record, Quantity, Worst, GateEntry], ids=lambda m: m.__name__)
def test_every_field_of_the_files_is_told_of(model: type[BaseModel]) -> None:
    text = (DOCS / "files.md").read_text(encoding="utf-8")
    for name in model.model_fields:
        known = f"`{name}`" in text or (name.endswith("_limit") and f"`{name.removesuffix('_limit')}`" in text and "`…_limit`" in text)
        assert known or (model is Worst and name in text), f"{model.__name__}.{name}"


def test_the_example_settings_are_taken(tmp_path: Path) -> None:
    example = DOCS / "includes" / "mpcheck.toml"
    assert read_settings(tmp_path, example, {}, {}).require == ["cuda", "cueq-kernels"]


def test_the_worked_example_is_what_its_tool_wrote() -> None:
    """Figures that the page speaks of are in what the command printed."""
    page = (DOCS / "red-cell.md").read_text(encoding="utf-8")
    green, red, record = ((DOCS / "includes" / f"red-cell-{name}").read_text(encoding="utf-8") for name in ("green.txt", "red.txt", "record.json"))
    assert (green.rstrip().splitlines()[-1], red.rstrip().splitlines()[-1]) == ("0", "1")
    assert "FAIL" not in green
    assert red.index("FAIL builtin:dense/interactions.1.scatter-") < red.index("FAIL builtin:dense/interactions.1-")
    tensor = json.loads(record)
    assert f"{tensor['signed_bias']:.1f}".replace("-", "−") in page
    assert f"stands at {tensor['worst']['value']:g} instead of {tensor['worst']['expected']:.1f}, where ±{tensor['worst']['allowed']:.1f}" in page
    assert tensor["rms"] / tensor["rms_limit"] == pytest.approx(7, abs=0.5)  # "seven times the limit"
    operations = (DOCS / "includes" / "red-cell-ops.txt").read_text(encoding="utf-8")
    assert operations.splitlines()[0].removeprefix("$ ") in page
    (group,) = re.findall(r"^  \d+ x aten\.add\.Tensor, .*: ([\d.]+) > ", operations, re.MULTILINE)
    assert float(group) == pytest.approx(tensor["rms"], rel=0.05)  # "the additions make all of the error"


def test_the_upgrade_of_the_page_is_of_two_environments() -> None:
    page, told = ((DOCS / name).read_text(encoding="utf-8") for name in ("compare.md", "includes/upgrade.txt"))
    old, new = re.findall(r"cuequivariance-torch ([\d.]+) -> ([\d.]+)", told)[0]
    assert old != new and f"cuequivariance-torch=={old}" in told and told.rstrip().splitlines()[-1] == "1"
    grown = [float(after) / float(before) for before, after in re.findall(r"ratio ([\d.]+) -> ([\d.]+)", told)]
    assert f"{min(grown):.1f} to {max(grown):.1f} times as much" in page


@pytest.mark.parametrize("name", ["matrix.yml"])
def test_the_workflow_of_the_page_keeps_to_the_schema(name: str) -> None:
    assert importlib.util.find_spec("check_jsonschema"), "check-jsonschema belongs to the dev extra"
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows", str(DOCS / "includes" / name)]
    assert subprocess.run(command, check=False, capture_output=True).returncode == 0
    text = (DOCS / "includes" / name).read_text(encoding="utf-8")
    assert all(re.search(r"@[0-9a-f]{40}( |$)", line) for line in text.splitlines() if "uses:" in line)


def test_the_site_builds_without_a_warning_and_loads_nothing_from_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mkdocs", reason="the docs extra is not installed")
    monkeypatch.setenv("NO_MKDOCS_2_WARNING", "1")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--clean", "--site-dir", str(tmp_path), "--config-file", str(ROOT / "mkdocs.yml")]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    pages = sorted(p for p in tmp_path.rglob("*.html") if "examples" not in p.parts)
    assert len(pages) > 20
    for page in pages:
        text = page.read_text(encoding="utf-8")
        loaded = re.findall(r"<(?:script|img|iframe|source)[^>]*\bsrc=[\"']?(https?:)?//", text)
        loaded += re.findall(r"<link[^>]*\brel=[\"']?(?:stylesheet|preconnect|icon)[\"']?[^>]*\bhref=[\"']?(?:https?:)?//", text)
        assert not loaded, page.name
        assert 'data-md-component="search"' not in text and "data-md-component=search" not in text, "no browser lets it read an index of a folder"
    commands_page = (tmp_path / "commands.html").read_text(encoding="utf-8")
    assert "mpcheck tolerances explain" in commands_page
    assert "--format" in commands_page
    assert "read_results" in (tmp_path / "api.html").read_text(encoding="utf-8")
