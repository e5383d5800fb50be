"""Each side imports its own files, and gets nothing of the workflow's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mpcheck._errors import InputError
from mpcheck.gate.environments import Side, make_side
from mpcheck.gate.trees import Tree, trees
from tests.gate.adopter import git


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
