"""An environment for each side: the present one's packages, with the side's own files before them.

A virtual environment that is made from another one's Python does not see that one's packages, so they are added by a module that
runs when Python starts. It also lets editable installs of the side win over regular installs of the present environment: their
finders come after Python's own, which would find the latter first.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TextIO

from mpcheck._errors import InputError
from mpcheck._files.io import log_file, write_text
from mpcheck._own import package_root
from mpcheck.gate.trees import Tree

STARTUP = '''\
"""This side's files first, then the packages of the environment that the gate runs in."""

import site
import sys
from importlib.machinery import PathFinder

place = sys.meta_path.index(PathFinder)
sys.meta_path[place:] = [*sys.meta_path[place + 1 :], PathFinder]
for path in {own!r}:
    sys.path.append(path)
for path in {present!r}:
    if path.endswith(("site-packages", "dist-packages")):
        site.addsitedir(path)
    elif path not in sys.path:
        sys.path.append(path)
'''
SECRET = re.compile(r"^(GITHUB|ACTIONS)_|TOKEN|SECRET|PASSWORD|CREDENTIAL", re.IGNORECASE)
"""Variables that the code of a side does not get: the workflow's files and whatever looks like a secret. No boundary: same user."""
LINES = 6  # of what a failed command said


@dataclass(frozen=True)
class Side:
    """One side, ready to run.

    Attributes:
        tree: its files. home: of its environment.
    """

    tree: Tree
    home: Path

    @property
    def scripts(self) -> Path:
        """Directory of its interpreter and commands."""
        return self.home / ("Scripts" if os.name == "nt" else "bin")

    @property
    def python(self) -> str:
        """Its interpreter."""
        return str(self.scripts / "python")

    @property
    def packages(self) -> Path:
        """Where its own packages are."""
        return Path(sysconfig.get_path("purelib", "venv" if sys.version_info >= (3, 11) else "posix_prefix", vars={"base": str(self.home)}))

    def variables(self, **more: str) -> dict[str, str]:
        """The environment of its processes. What PYTHONPATH named is in the side's own path already, after its files."""
        kept = {n: v for n, v in os.environ.items() if not SECRET.search(n) and n not in ("PYTHONPATH", "PYTHONHOME")}
        path = os.pathsep.join([str(self.scripts), *filter(None, [kept.get("PATH", "")])])
        own = {"PATH": path, "VIRTUAL_ENV": str(self.home), "MPCHECK_COMMIT": self.tree.commit or "unknown"}
        return {**kept, **own, **more}


def present_paths(tree: Tree, head: Tree) -> list[str]:
    """Entries of the present path without the standard library, without what ``python -m`` or a test put there of the repository itself."""
    standard = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib")}
    own = {str(place) for t in (tree, head) for place in (t.top, t.root, t.root / "src")} | {str(Path.cwd())}
    kept = (str(Path(p).absolute()) for p in sys.path if p and not p.endswith(".zip") and p not in standard and not p.endswith("lib-dynload"))
    return list(dict.fromkeys([package_root(), *(p for p in kept if p not in own)]))  # first: both sides get the mpcheck that judges


def last_lines(text: str) -> str:
    """The end of what a command said, in one line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " | ".join(lines[-LINES:]) or "it said nothing"


def make_side(tree: Tree, head: Tree, home: Path, commands: Sequence[Sequence[str]], log: Path, timeout: float) -> Side:
    """An environment with a side's files in it.

    Args:
        home: where it is made. commands: what installs the files; none puts them on the path as they are.
        log: what the commands said. timeout: seconds that each may take.

    Raises:
        InputError: the environment cannot be made; a command fails, whose last lines are told.
    """
    try:
        venv.EnvBuilder(with_pip=bool(commands), symlinks=os.name != "nt").create(home)
    except (OSError, subprocess.SubprocessError) as error:
        raise InputError(f"{tree.name}: no virtual environment can be made: {error}; install Python's venv and ensurepip") from error
    side = Side(tree, home)
    if find_spec("setuptools") is not None:
        _without_setuptools(side.packages)
    own = [] if commands else [str(tree.source)]
    write_text(side.packages / "_mpcheck_side.py", STARTUP.format(own=own, present=present_paths(tree, head)))
    write_text(side.packages / "zzz_mpcheck_side.pth", "import _mpcheck_side\n")  # last: editable installs of the side come before it
    if commands:
        with log_file(log) as said:
            for command in commands:
                _install(side, command, said, timeout)
    return side


def _without_setuptools(packages: Path) -> None:
    """Let the present environment's builds happen: ensurepip of Python before 3.12 brings a setuptools too old for many, before ours."""
    for pattern in ("setuptools", "setuptools-*", "pkg_resources", "_distutils_hack"):
        for path in packages.glob(pattern):
            shutil.rmtree(path)
    (packages / "distutils-precedence.pth").unlink(missing_ok=True)


def _install(side: Side, command: Sequence[str], said: TextIO, timeout: float) -> None:
    """Run one command of an install in a side's tree; what it says goes to ``said``."""
    what = f"{side.tree.name}: install command {shlex.join(command)!r}"
    try:
        done = subprocess.run(
            command, cwd=side.tree.root, env=side.variables(**_version(side)), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors="replace", check=False, timeout=timeout,
        )  # fmt: skip
    except OSError as error:
        raise InputError(f"{what} cannot be started: {error.strerror or error}; fix `install`") from error
    except subprocess.TimeoutExpired as error:
        raise InputError(f"{what} took more than {timeout:.0f} s; fix `install` or allow more with `timeout`") from error
    said.write(f"$ {shlex.join(command)}\n{done.stdout}")
    if done.returncode:
        raise InputError(f"{what} failed with status {done.returncode}: {last_lines(done.stdout)}; fix `install`")


def _version(side: Side) -> Mapping[str, str]:
    """Base has no ``.git``, from which build tools might take the version."""
    variable = "SETUPTOOLS_SCM_PRETEND_VERSION"
    return {} if side.tree.name == "head" or variable in os.environ else {variable: f"0+g{side.tree.commit}"}
