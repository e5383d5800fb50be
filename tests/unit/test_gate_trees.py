"""Base is a commit's files, head the working tree's; both are what is really imported."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mpcheck._errors import InputError
from mpcheck.gate.environments import Side, make_side
from mpcheck.gate.probe import content, imported, installed
from mpcheck.gate.processes import run
from mpcheck.gate.sides import Sides, refuse_the_same
from mpcheck.gate.trees import Tree, trees
from tests.gate.adopter import git


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A package in two versions, one committed and one in the working tree."""
    where = tmp_path / "repository"
    (where / "pkg").mkdir(parents=True)
    (where / "tests").mkdir()
    (where / "tests" / "__init__.py").touch()
    (where / "pkg" / "__init__.py").write_text("VERSION = 'old'\n")
    git(where, "init", "--quiet", "-b", "main")
    git(where, "add", ".")
    git(where, "commit", "--quiet", "-m", "one")
    (where / "pkg" / "__init__.py").write_text("VERSION = 'new'\n")
    return where


def says(side: Side, code: str, cwd: Path) -> str:
    done = subprocess.run([side.python, "-c", code], cwd=cwd, env=side.variables(), capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_each_side_imports_its_own_files(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(repository))  # which a user may well have set
    with trees(repository, "main") as (base, head):
        assert base is not None and head.packages == base.packages == ["pkg"]
        assert base.commit == git(repository, "rev-parse", "main")[:12]
        code = "import sys; sys.path = [p for p in sys.path if p]; import pkg, mpcheck, pydantic; print(pkg.VERSION)"
        made = [make_side(tree, head, tmp_path / tree.name, [], tmp_path / "log", 60) for tree in (base, head)]
        assert [says(side, code, repository) for side in made] == ["old", "new"]
        files = base.top
    assert not files.exists() and git(repository, "worktree", "list").count("\n") == 0


def test_an_editable_install_wins_over_a_package_of_the_present_environment(repository: Path, tmp_path: Path) -> None:
    """Setuptools finds packages of a flat layout by a finder that comes after Python's own."""
    (repository / "filelock").mkdir()
    (repository / "filelock" / "__init__.py").write_text("")
    tree = Tree("head", "", tmp_path / "empty", tmp_path / "empty")
    side = make_side(tree, tree, tmp_path / "head", [], tmp_path / "log", 60)
    (side.packages / "__editable__.pth").write_text("import _editable_finder\n")
    (side.packages / "_editable_finder.py").write_text(
        "import sys\nfrom importlib.util import spec_from_file_location\n"
        "class Finder:\n    @staticmethod\n    def find_spec(name, path=None, target=None):\n"
        f"        return spec_from_file_location(name, {str(repository / 'filelock' / '__init__.py')!r}) if name == 'filelock' else None\n"
        "sys.meta_path.append(Finder)\n"
    )
    assert says(side, "import filelock, pydantic; print(filelock.__file__)", tmp_path) == str(repository / "filelock" / "__init__.py")


def test_an_install_that_fails_tells_its_last_lines(repository: Path, tmp_path: Path) -> None:
    tree = Tree("base", "", repository, repository)
    command = [sys.executable, "-c", "print('one', flush=True); raise SystemExit('no compiler')"]
    with pytest.raises(InputError, match=r"base: install command .* failed with status 1: one \| no compiler; fix `install`"):
        make_side(tree, tree, tmp_path / "env", [command], tmp_path / "log", 60)
    with pytest.raises(InputError, match="install command 'no-such-program' cannot be started: No such file"):
        make_side(tree, tree, tmp_path / "env2", [["no-such-program"]], tmp_path / "log", 60)


def test_secrets_and_the_files_of_the_workflow_stay_outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GITHUB_TOKEN", "GITHUB_ENV", "ACTIONS_RUNTIME_TOKEN", "MY_SECRET", "DB_PASSWORD"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    kept = Side(Tree("head", "abc", tmp_path, tmp_path), tmp_path).variables(MORE="1")
    assert not {"GITHUB_TOKEN", "GITHUB_ENV", "ACTIONS_RUNTIME_TOKEN", "MY_SECRET", "DB_PASSWORD", "PYTHONPATH"} & set(kept)
    assert (kept["OMP_NUM_THREADS"], kept["MORE"], kept["MPCHECK_COMMIT"]) == ("1", "1", "abc")
    assert kept["PATH"].startswith(str(tmp_path / "bin") + os.pathsep)


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        ("nonsense", r"base nonsense: .* has no such commit; fetch it"),
        ("--help", r"base --help: .* has no such commit"),
        ("HEAD:pkg", "has no such commit"),
    ],
)
def test_an_unknown_base(base: str, expected: str, repository: Path) -> None:
    with pytest.raises(InputError, match=expected), trees(repository, base):
        pass


def test_nothing_to_compare(repository: Path) -> None:
    git(repository, "commit", "--quiet", "-am", "two")
    with pytest.raises(InputError, match="base HEAD: head has the very same files"), trees(repository, "HEAD"):
        pass
    (repository / "more.py").touch()
    with trees(repository, "HEAD") as (base, _):
        assert base is not None


def test_without_git_or_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MPCHECK_COMMIT", raising=False)
    with pytest.raises(InputError, match="is no git repository, so that no base can be taken"), trees(tmp_path, "main"):
        pass
    with pytest.raises(InputError, match="is no directory"), trees(tmp_path / "gone", ""):
        pass
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="needs git, which is not on PATH"), trees(tmp_path, "main"):
        pass
    with trees(tmp_path, "") as (base, head):
        assert base is None and head.commit == ""


def test_a_directory_that_base_has_not(repository: Path) -> None:
    (repository / "sub").mkdir()
    with pytest.raises(InputError, match="directory sub does not exist in that commit"), trees(repository / "sub", "main"):
        pass


def sides(repository: Path, base: str, head: str, name: str = "pkg") -> Sides:
    tree = Tree("head", "", repository, repository)
    made = Sides(Side(tree, repository), Side(tree, repository), repository)
    made.sources = {s: {name: {"path": p, "version": "1", "digest": "d"}} for s, p in (("base", base), ("head", head))}
    return made


def test_the_same_code_twice_is_refused(repository: Path) -> None:
    refuse_the_same(sides(repository, "/a", "/b"))
    with pytest.raises(InputError, match="base and head both import pkg from /a, which is neither's own tree; set `install`"):
        refuse_the_same(sides(repository, "/a", "/a"))
    with pytest.raises(InputError, match=r"import the very same files \(mace from /a\).* or no base"):
        refuse_the_same(sides(repository, "/a", "/a", "mace"))


def test_facts_of_packages(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(repository))
    before = imported(["pkg", "not.there", "nowhere", "sys"])
    assert set(before) == {"pkg"} and before["pkg"]["path"] == str(repository / "pkg")
    (repository / "pkg" / "kernel.cu").write_text("x")
    assert imported(["pkg"])["pkg"]["digest"] != before["pkg"]["digest"]
    (repository / "pkg" / "__pycache__").mkdir()
    after = content(repository / "pkg")
    (repository / "pkg" / "__pycache__" / "a.pyc").write_text("x")
    assert content(repository / "pkg") == after
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "x.pth").write_text(f"import os\n{repository}\n")
    assert installed(tmp_path / "site") == ["pkg", "tests"]


def test_a_process_that_hangs_is_ended_with_its_children(tmp_path: Path) -> None:
    package = tmp_path / "mpcheck"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "hang.py").write_text(
        "import subprocess, sys, time\ndef main():\n    print('begun', flush=True)\n"
        "    subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(5); open(\"alive\", \"w\")'])\n    time.sleep(60)\n"
    )
    tree = Tree("head", "", tmp_path, tmp_path)
    side = make_side(tree, tree, tmp_path / "env", [], tmp_path / "log", 60)
    ended = run(side, "hang:main", [], tmp_path, tmp_path / "said.log", 2.0)
    assert ended.code is None and ended.lines == ["begun"] and ended.how.startswith("was ended after")
    time.sleep(5.5)
    assert not (tmp_path / "alive").exists()
