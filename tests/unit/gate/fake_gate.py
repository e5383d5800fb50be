"""A whole gate of a real repository, whose processes are played: sessions write made-up records, and head's code does what a test says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

import mpcheck.gate.run as run_module
import mpcheck.gate.sessions as sessions_module
import mpcheck.gate.sides as sides_module
import mpcheck.report.page as page_module
from mpcheck._own import own_digest
from mpcheck.gate.asked import asked, first_settings
from mpcheck.gate.environments import Side
from mpcheck.gate.outcome import Outcome
from mpcheck.gate.processes import Ended
from mpcheck.records.document import Records, write_records
from mpcheck.records.record import Record
from tests.gate.adopter import git
from tests.unit import report_samples as samples

SETTINGS = '[gate]\nmodel = "a.model"\nsystems = ["w.xyz"]\nblocks = ["radial*", "products.1"]\nbaselines = "stored"\nsessions = ["precision"]\n'
FILES = {"pkg/__init__.py": "old = 1\n", "mpcheck.toml": SETTINGS, "a.model": "weights", "w.xyz": "atoms", "stored/cpu/precision.json": "{}"}
Cells = Sequence[Record]


def repository(where: Path, files: Mapping[str, str] = FILES) -> Path:
    """A repository with one commit, and another line of code in the working tree."""
    for name, text in files.items():
        (where / name).parent.mkdir(parents=True, exist_ok=True)
        (where / name).write_text(text)
    git(where, "init", "--quiet", "-b", "main")
    git(where, "add", ".")
    git(where, "commit", "--quiet", "-m", "one")
    (where / "pkg" / "__init__.py").write_text("new = 2\n")
    return where


def document(cells: Cells, **environment: Any) -> Records:
    """Records of the precision session, made by this mpcheck."""
    made = samples.run(cells)
    return made.model_copy(update={"environment": made.environment.model_copy(update={"mpcheck_digest": own_digest(), **environment})})


class FakeGate:
    """A gate whose two sides find what they are told to.

    Attributes:
        root: the repository. out, cache: of the gate. base, head: cells. document: changes head's records.
        attack: what head's code does while it runs. own: stands for this mpcheck's files. seen: files that a session could read, by side.
        words: command lines, by side. order: of what was made and run.
    """

    def __init__(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: Mapping[str, str] = FILES) -> None:
        self.root, self.out, self.cache = repository(tmp_path / "repository", files), tmp_path / "out", tmp_path / "cache"
        self.base: Cells = samples.grid()
        self.head: Cells = samples.grid()
        self.document: Callable[[Records], Records] = lambda run: run
        self.attack: Callable[[FakeGate], None] = lambda _: None
        self.installs: Callable[[FakeGate], None] = lambda _: None
        self.seen: dict[str, dict[str, str]] = {}
        self.words: dict[str, list[str]] = {}
        self.order: list[str] = []
        self.commands: dict[str, Sequence[Sequence[str]]] = {}
        self.base_home = Path()
        self.references = Path()
        self.own = tmp_path / "own"
        self.own.mkdir()
        (self.own / "verdict.py").write_text("honest\n")
        monkeypatch.setattr(sides_module, "make_side", self._make)
        monkeypatch.setattr(sides_module, "probe", self._probe)
        monkeypatch.setattr(run_module, "probe", lambda *_: ({}, ""))
        monkeypatch.setattr(run_module, "own_code", lambda: {"mpcheck's own files": self.own})
        monkeypatch.setattr(sessions_module, "run", self._run)
        monkeypatch.setattr(page_module, "_drawn", lambda *_: ([], ""))  # pictures take seconds

    def change(self, **files: str | None) -> None:
        """What the pull request does to files, whose names have ``__`` for a slash and ``_`` for a point."""
        for name, text in files.items():
            path = self.root / name.replace("__", "/").replace("_", ".")
            if text is None:
                path.unlink()
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)

    def go(self, base: str = "main", **environment: str) -> Outcome:
        """Run it against main, as the workflow's variables say."""
        variables = {**({"MPCHECK_GATE_BASE": base} if base else {}), **environment}
        what = asked(None, {}, (), variables)
        return run_module.gate(self.root, what, first_settings(self.root, what, {}, variables), self.out, self.cache, lambda _: None)

    @property
    def report(self) -> str:
        """What people read."""
        return (self.out / "report.md").read_text()

    def _make(self, tree: Any, head: Any, home: Path, commands: Sequence[Sequence[str]], *_: Any) -> None:
        self.order.append(f"make {tree.name}")
        self.commands[tree.name] = commands
        (home / "lib").mkdir(parents=True)
        (home / "lib" / "mace.py").write_text(tree.name)
        if tree.name == "base":
            self.base_home = home
        else:
            self.installs(self)

    def _probe(self, side: Side, *_: Any) -> tuple[dict[str, Any], str]:
        self.order.append(f"probe {side.tree.name}")
        return {"pkg": {"path": str(side.tree.root / "pkg"), "version": "1", "digest": side.tree.name}}, ""

    def _run(self, side: Side, function: str, words: Sequence[str], cwd: Path, log: Path, timeout: float, **variables: str) -> Ended:
        name = side.tree.name
        self.order.append(f"{log.stem} of {name}")
        self.seen[name] = {p.relative_to(cwd).as_posix(): p.read_text() for p in sorted(cwd.rglob("*")) if p.is_file()}
        self.words[name] = list(words)
        made = document(self.base if name == "base" else self.head)
        if name == "base":
            self.references = Path(variables["MPCHECK_CACHE_DIR"])
            self.references.mkdir(parents=True, exist_ok=True)
            for suffix in (".safetensors", ".json"):
                (self.references / f"block.reference{suffix}").write_text("true values")
        write_records(log.parent / "precision.json", self.document(made) if name == "head" else made)
        if name == "head":
            self.attack(self)
        return Ended(0, [], 1.0)


def line(old: str, new: str) -> str:
    assert old in SETTINGS
    return SETTINGS.replace(old, new)
