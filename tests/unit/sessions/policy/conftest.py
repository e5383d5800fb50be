"""A study of a small model on a small structure, made once."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from ase import Atoms
from ase.io import write

from mpcheck.sessions.policy import PolicyOptions
from mpcheck.sessions.policy.work import PolicyWork
from tests.unit.checks.uses.small_models import built


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model and a structure in files."""
    folder = tmp_path_factory.mktemp("policy")
    torch.save(built("ScaleShiftMACE"), folder / "small.model")
    positions = [[0.1, 0.0, 0.0], [0.9, 0.3, 0.1], [-0.5, 0.8, 0.2], [2.2, 1.9, 0.4], [2.9, 2.5, 0.6], [1.6, 2.4, 1.1]]
    write(folder / "six.xyz", Atoms("OHHOHH", positions=positions, cell=[4.6, 4.9, 5.1], pbc=True))
    return folder


def options(place: Path, **more: object) -> PolicyOptions:
    own = {"model": str(place / "small.model"), "systems": (str(place / "six.xyz"),), "backends": ("e3nn",), "cache": place / "cache", "launches": 0}
    return PolicyOptions(**{**own, **more})  # type: ignore[arg-type]  # fields of a dataclass


@pytest.fixture(scope="session")
def work(place: Path) -> PolicyWork:
    """Two policies in lower formats, and the exact one."""
    return PolicyWork(options(place, policies=("float64", "float32", "linear-bf16")))
