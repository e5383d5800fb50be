"""Somebody's repository: a fork of MACE with a branch for every kind of pull request."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

SETTINGS = """\
[gate]
model = "builtin:hco"
systems = ["builtin:water"]
backends = ["e3nn"]
formats = ["float32", "bfloat16"]
blocks = ["radial_embedding*", "products.1*", "interactions.1.linear_up"]
sessions = ["precision", "bench"]

[gate.bench] # few and short: the test wants the verdict on costs, which is exact, and latencies that were measured at all
blocks = ["products.1"]
formats = ["float32"]
launches = 3
seconds = 1.0
"""
PROJECT = """\
[build-system]
requires = ["setuptools>=64"]
build-backend = "setuptools.build_meta"

[project]
name = "mace-torch"
version = "0.3.16"

[tool.setuptools.packages.find]
include = ["mace*"]
"""
IDENTITY = {f"GIT_{role}_{what}": "a@b" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")} | {"GIT_CONFIG_GLOBAL": os.devnull}


@dataclass(frozen=True)
class Change:
    """A pull request: one text of one file replaced.

    Attributes:
        block: where it must be seen; empty where nothing must be. owner: the class that it is in.
    """

    file: str
    old: str
    new: str
    block: str = ""
    owner: str = ""


CHANGES = {
    "clean": Change(
        "mace/modules/radial.py",
        "        numerator = torch.sin(self.bessel_weights * x)  # [..., num_basis]\n        return self.prefactor * (numerator / x)\n",
        "        arguments = x * self.bessel_weights  # [..., num_basis]\n        return torch.sin(arguments) / x * self.prefactor\n",
    ),
    # a shortcut that looks right in the whole model's energy: angles of up to 8 pi are rounded to 8 bits where the input is float32
    "fault": Change(
        "mace/modules/radial.py",
        "        numerator = torch.sin(self.bessel_weights * x)  # [..., num_basis]\n",
        "        angles = self.bessel_weights * x  # [..., num_basis]\n"
        "        if angles.dtype == torch.float32:\n"
        "            angles = angles.bfloat16().float()\n"
        "        numerator = torch.sin(angles)\n",
        "radial_embedding.bessel_fn",
        "BesselBasis",
    ),
    "slow": Change(
        "mace/modules/blocks.py",
        "            node_feats = self.symmetric_contractions(node_feats, node_attrs)\n",
        "            self.symmetric_contractions(node_feats, node_attrs)\n"
        "            node_feats = self.symmetric_contractions(node_feats, node_attrs)\n",
        "products.1",
        "EquivariantProductBasisBlock",
    ),
}


def git(where: Path, *arguments: str) -> str:
    """Run git with an identity, without anybody's settings."""
    return subprocess.run(["git", *arguments], cwd=where, check=True, capture_output=True, text=True, env={**os.environ, **IDENTITY}).stdout.strip()


def fork(where: Path, settings: str = SETTINGS) -> Path:
    """A repository with MACE's own files on ``main`` and a branch for each of :data:`CHANGES`."""
    spec = importlib.util.find_spec("mace")
    assert spec is not None and spec.origin is not None
    installed = Path(spec.origin).parent
    where.mkdir(parents=True)
    shutil.copytree(installed, where / "mace", ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    (where / "pyproject.toml").write_text(PROJECT)
    (where / "mpcheck.toml").write_text(settings)
    (where / ".gitignore").write_text("*.egg-info/\nbuild/\nreports/\n__pycache__/\n")
    git(where, "init", "--quiet", "-b", "main")
    git(where, "add", ".")
    git(where, "commit", "--quiet", "-m", "MACE")
    for name, change in CHANGES.items():
        git(where, "checkout", "--quiet", "-b", name, "main")
        path = where / change.file
        text = path.read_text()
        assert text.count(change.old) == 1, f"{change.file} is another version of MACE: the text that {name} replaces is not there once"
        path.write_text(text.replace(change.old, change.new))
        git(where, "commit", "--quiet", "-am", f"Change of {name}")
    git(where, "checkout", "--quiet", "main")
    return where
