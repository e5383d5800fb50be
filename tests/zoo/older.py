"""Models that older releases of mace-torch saved: each made by its own release, in a folder of its own under ``.nox/older``.

Only ``mace`` itself is of the release: torch, e3nn and the rest are those of the running interpreter, so that making one takes seconds.
A model is read later by today's upstream, as its users read it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
RELEASES = ("0.3.6", "0.3.7", "0.3.8", "0.3.9", "0.3.10", "0.3.11", "0.3.12", "0.3.13", "0.3.14", "0.3.15", "0.3.16")
NAMES = ("mace", "scaleshift", "l2", "options", "float32")
"""Models of each release, by ``MODELS`` of older_models.py."""
BACKENDS = {"l2": ("e3nn", "cueq")}
"""What judges a model, where it is more than e3nn: releases up to 0.3.8 order the irreps of what lies between blocks otherwise."""
MAKER = Path(__file__).with_name("older_models.py")


def environment(release: str) -> Path:
    """Folder that holds a release's ``mace``, fetched where it is missing.

    Raises:
        subprocess.CalledProcessError: there is no such release, or the package index cannot be reached.
    """
    home = ROOT / ".nox" / "older" / release
    if not (home / "mace" / "__init__.py").is_file():
        command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-compile", "--target", str(home), f"mace-torch=={release}"]
        subprocess.run(command, check=True)
    return home


def make(release: str, out: Path) -> list[Path]:
    """Save a few small random models with a release of mace-torch: ``OUT/RELEASE-NAME.model``, a few hundred kB each.

    Args:
        release: one of :data:`RELEASES`. out: folder, made where it is missing.

    Raises:
        subprocess.CalledProcessError: the release cannot be fetched or cannot build a model; its words are on standard error.
    """
    out.mkdir(parents=True, exist_ok=True)
    # e3nn's table of constants is a pickle, which releases up to 0.3.10 leave to torch's default of their day
    loading = {"TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1", "PYTHONWARNINGS": "ignore"}
    surroundings = {**os.environ, **loading, "PYTHONPATH": str(environment(release)), "PYTHONSAFEPATH": "1"}
    subprocess.run([sys.executable, str(MAKER), release, str(out.resolve())], check=True, env=surroundings, cwd=out)
    return sorted(out.glob(f"{release}-*.model"))


if __name__ == "__main__":
    for path in [path for release in sys.argv[2:] or RELEASES for path in make(release, Path(sys.argv[1]))]:
        print(path)
