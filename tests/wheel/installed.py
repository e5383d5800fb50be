"""mpcheck as its users have it: a wheel, installed into an environment of its own that borrows every other package from the present one."""

from __future__ import annotations

import os
import site
import subprocess
import sys
import venv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Installed:
    """An environment with the wheel.

    Attributes:
        home: where it lies. cache: of the references that its commands make.
    """

    home: Path
    cache: Path

    @property
    def programs(self) -> Path:
        """Directory of its programs."""
        return self.home / ("Scripts" if os.name == "nt" else "bin")

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.programs / "python"

    def variables(self, **more: str) -> Mapping[str, str]:
        """Of the environment of a shell in which it is active; nothing of the present process leads to a checkout."""
        left = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "MPCHECK_"))}
        path = os.pathsep.join([str(self.programs), left.get("PATH", "")])
        own = {"PATH": path, "VIRTUAL_ENV": str(self.home), "MPCHECK_CACHE_DIR": str(self.cache), "OMP_NUM_THREADS": "1", "COLUMNS": "100"}
        return left | own | more

    def run(self, words: list[str], where: Path, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a command of it."""
        return subprocess.run(words, cwd=where, env=dict(self.variables(**more)), capture_output=True, text=True, check=False)


def installed(folder: Path) -> Installed:
    """Build the wheel and install it.

    Raises:
        RuntimeError: it cannot be built, or what is imported then is not what was installed.
    """
    wheels, made = folder / "wheels", Installed(folder / "venv", folder / "cache")
    _pip("wheel", "--no-deps", "--wheel-dir", str(wheels), str(ROOT))
    venv.create(made.home, with_pip=False)
    (own,) = made.home.glob("lib/python*/site-packages")
    # files of the present environment's site-packages that add to the path are not read from here: an editable mpcheck there stays out
    (own / "borrowed.pth").write_text("".join(f"{place}\n" for place in site.getsitepackages()), encoding="utf-8")
    (wheel,) = wheels.glob("mpcheck-*.whl")
    _pip("--python", str(made.python), "install", "--no-deps", "--no-index", str(wheel))
    told = made.run([str(made.python), "-c", "import mpcheck; print(mpcheck.__file__)"], folder)
    if not told.stdout.startswith(str(own)):
        raise RuntimeError(f"not the wheel is imported: {told.stdout}{told.stderr}")
    return made


def _pip(*words: str) -> None:
    done = subprocess.run([sys.executable, "-m", "pip", "-q", "--disable-pip-version-check", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"pip {' '.join(words)}: {done.stderr}")
