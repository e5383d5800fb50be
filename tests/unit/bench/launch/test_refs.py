"""``--against``: environments and commits. A user's repository is read, never written."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mpcheck._errors import InputError
from mpcheck._own import package_root
from mpcheck.bench.launch.processes import launched, own_paths
from mpcheck.bench.launch.refs import same_sources, sides, source_paths


def git(where: Path, *arguments: str) -> str:
    settings = {
        "GIT_AUTHOR_NAME": "a",
        "GIT_AUTHOR_EMAIL": "a@b",
        "GIT_COMMITTER_NAME": "a",
        "GIT_COMMITTER_EMAIL": "a@b",
        "GIT_CONFIG_GLOBAL": os.devnull,
    }
    return subprocess.run(["git", *arguments], cwd=where, check=True, capture_output=True, text=True, env={**os.environ, **settings}).stdout


def state(where: Path) -> dict[str, object]:
    """Everything that a checkout of a commit could leave behind. Python's own caches, of what the head imports, are not of it."""
    found = [p for p in sorted(where.rglob("*")) if p.name != "index" and "__pycache__" not in p.parts]
    places = {str(p.relative_to(where)): p.read_bytes() if p.is_file() else b"" for p in found}
    return {"status": git(where, "status", "--porcelain"), "worktrees": git(where, "worktree", "list"), "files": places}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A package in two versions, one committed and one in the working tree, with a file that is not committed."""
    where = tmp_path / "repository"
    (where / "pkg").mkdir(parents=True)
    (where / "pkg" / "__init__.py").write_text("VERSION = 'old'\n")
    (where / ".gitignore").write_text("__pycache__/\n")
    git(where, "init", "--quiet", "-b", "main")
    git(where, "add", ".")
    git(where, "commit", "--quiet", "-m", "one")
    (where / "pkg" / "__init__.py").write_text("VERSION = 'new'\n")
    (where / "notes.txt").write_text("mine")
    hook = where / ".git" / "hooks" / "post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\ntouch ran\n")
    hook.chmod(0o755)
    return where


SAYS = ("-c", "import json, pkg, sys; sys.stdin.readline(); print(json.dumps({'ok': {'protocol': PROTOCOL, 'says': pkg.VERSION}}))")


def says(python: str, paths: tuple[str, ...]) -> str:
    from mpcheck.bench.launch.worker import PROTOCOL

    with launched("x", 1, python, paths, (SAYS[0], SAYS[1].replace("PROTOCOL", str(PROTOCOL)))) as (_, hello):
        return str(hello["says"])


@pytest.mark.parametrize("name", ["HEAD", "main", "full"])
@pytest.mark.parametrize("inside", [".", "pkg"])
def test_base_is_the_commit_and_head_the_working_tree(name: str, inside: str, repository: Path) -> None:
    before = state(repository)
    commit = git(repository, "rev-parse", "HEAD").strip() if name == "full" else name
    with sides(commit, repository / inside) as (base, head):
        assert (base.name, head.name) == ("base", "head") and base.python == head.python == sys.executable
        assert head.paths == (str(repository),)
        assert says(base.python, base.paths) == "old"
        assert says(head.python, head.paths) == "new"
        tree = Path(base.paths[0])
        assert not tree.is_relative_to(repository)
        assert {k: v for k, v in state(repository).items() if k != "files"} == {k: v for k, v in before.items() if k != "files"}
    assert not tree.exists()
    assert state(repository) == before, "no worktree, no hook run, no file"


@pytest.mark.parametrize("error", [KeyboardInterrupt, InputError("x"), RuntimeError("x")])
def test_nothing_is_left_where_something_raises(error: type[BaseException] | BaseException, repository: Path) -> None:
    before, tree = state(repository), Path()
    with contextlib.suppress(KeyboardInterrupt, InputError, RuntimeError), sides("HEAD", repository) as (base, _):
        tree = Path(base.paths[0])
        assert (tree / "pkg" / "__init__.py").is_file()
        raise error
    assert tree.name == "tree" and not tree.parent.exists()
    assert state(repository) == before


def test_a_package_in_src_and_a_checkout_of_mpcheck_itself(tmp_path: Path) -> None:
    assert source_paths(tmp_path) == (str(tmp_path),)
    (tmp_path / "src" / "c++").mkdir(parents=True)
    assert source_paths(tmp_path) == (str(tmp_path),), "no package in it"
    (tmp_path / "src" / "pkg").mkdir()
    (tmp_path / "src" / "pkg" / "__init__.py").touch()
    assert source_paths(tmp_path) == (str(tmp_path / "src"),)
    (tmp_path / "src" / "mpcheck").mkdir()
    assert source_paths(tmp_path) == (package_root(), str(tmp_path / "src")), "what measures is the same on both sides"


@pytest.mark.parametrize(
    ("against", "expected"),
    [
        ("nonsense", "--against nonsense: neither a Python environment nor a commit of"),
        ("--help", "neither a Python environment nor a commit of"),
        ("HEAD:pkg", "neither a Python environment nor a commit of"),
        ("HEAD~7", "neither a Python environment nor a commit of"),
        ("x" * 5000, "neither a Python environment nor a commit of"),
        ("pkg", "--against pkg: no Python environment in it; give its directory, its python, or a commit"),
        ("notes.txt", "--against notes.txt: no Python environment in it"),
    ],
)
def test_what_is_neither_is_one_line(against: str, expected: str, repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository)
    before = state(repository)
    with pytest.raises(InputError) as told, sides(against, repository):
        pass
    assert expected in str(told.value)
    assert state(repository) == before


def test_without_a_repository_or_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="is no git repository"), sides("HEAD", tmp_path):
        pass
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="needs git, which is not on PATH"), sides("HEAD", tmp_path):
        pass


def test_a_commit_that_git_cannot_check_out(repository: Path) -> None:
    tree = git(repository, "rev-parse", "HEAD^{tree}").strip()
    blob = next((repository / ".git" / "objects" / tree[:2]).glob(f"{tree[2:]}*"))
    blob.chmod(0o644)
    blob.unlink()
    with pytest.raises(InputError, match="git cannot check it out: fatal: "), sides("HEAD", repository):
        pass


def test_an_environment_by_directory_and_by_interpreter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "env" / "bin").mkdir(parents=True)
    python = tmp_path / "env" / "bin" / "python"
    python.symlink_to(sys.executable)
    monkeypatch.chdir(tmp_path)
    for name in ("env", "env/bin/python", str(python)):
        with sides(name, tmp_path) as (base, head):
            assert base.python == str(python), "absolute, and no link followed: that is how an environment finds itself"
            assert (base.paths, head.python, head.paths) == ((), sys.executable, own_paths())
    python.unlink()
    with pytest.raises(InputError, match="no Python environment in it"), sides("env", tmp_path):
        pass


def test_an_interpreter_in_the_current_directory_is_not_looked_for_in_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "python3").symlink_to(sys.executable)
    with sides("python3", tmp_path) as (base, _):
        assert base.python == str(tmp_path / "python3")


def test_the_same_libraries_are_told_by_content() -> None:
    torch = {"path": "/a", "version": "2", "digest": "x"}
    same = {"base": {"sources": {"torch": torch}}, "head": {"sources": {"torch": {**torch, "path": "/b"}}}}
    assert same_sources(same)
    assert not same_sources({**same, "head": {"sources": {"torch": {**torch, "digest": "y"}}}})
    assert not same_sources({**same, "head": {"sources": {}}})
