"""Which code makes references: a digest of the content of every package that the float64 values depend on.

Version strings say nothing of an edited fork. What is digested are the files of packages, wherever they lie, so that two trees of equal
content have equal references; torch and numpy, gigabytes of files, are known by their builds.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy
import torch

from mpcheck._files.io import digest
from mpcheck._packages import modules
from mpcheck.reference.packages import DigestedPackage, closure, content, distribution

UPSTREAM = modules("model", "kernels", "compiled", "helper")
"""Digested wherever they are installed; with them, what defines the classes of a model, and what all of these import."""
TOLD = 3  # packages that are named in a line, the first of them


@dataclass(frozen=True)
class Code:
    """The code that makes references.

    Attributes:
        digest: 24 hexadecimal digits; equal content, equal digest, wherever it lies.
        packages: what is digested of others', in words: name, version, place.
    """

    digest: str
    packages: tuple[str, ...]

    @property
    def by(self) -> list[str]:
        """The packages that matter most, in words."""
        return list(self.packages[:TOLD])


def code_of(model: torch.nn.Module) -> Code:
    """The code that makes references of a model: upstream's, that of the model's classes, mpcheck's own, torch's build."""
    owners = {owner.__module__.partition(".")[0] for module in model.modules() for owner in type(module).__mro__}
    return _code(frozenset(owners))


@cache
def _code(owners: frozenset[str]) -> Code:
    """Once a process: what it has imported stays as it was."""
    packages = closure([*UPSTREAM, *sorted(owners - {*UPSTREAM, "torch", "builtins"})])
    parts = [build(), own_content(), *(f"{p.name} {p.digest}" for p in sorted(packages, key=lambda p: p.name))]
    return Code(digest(*parts)[:24], tuple(map(in_words, _in_order(packages))))


def build() -> str:
    """What torch and numpy are made of: versions, torch's commit, compilers and instructions that it uses on this machine."""
    python = ".".join(platform.python_version_tuple()[:2])
    git = getattr(torch.version, "git_version", "")
    return "\n".join((f"python {python}", f"numpy {numpy.__version__}", f"torch {torch.__version__} {git}", torch.__config__.show()))


def own_content() -> str:
    """Digest of mpcheck's own part in a reference: noise model, draws, capture, what is stored, how upstream is called."""
    own = Path(__file__).parents[1]
    return digest(*(content(own / name) for name in ("reference", "adapters", "formats.py")))


def in_words(package: DigestedPackage) -> str:
    """``mace 0.3.16 from PATH``."""
    installed = distribution(package.place)
    version = getattr(sys.modules.get(package.name), "__version__", "") if installed is None else installed[0].rpartition("-")[2]
    return " ".join(filter(None, (package.name, str(version), f"from {package.place}")))


def _in_order(packages: Iterable[DigestedPackage]) -> list[DigestedPackage]:
    """Upstream's own first."""
    return sorted(packages, key=lambda p: (UPSTREAM.index(p.name) if p.name in UPSTREAM else len(UPSTREAM), p.name))
