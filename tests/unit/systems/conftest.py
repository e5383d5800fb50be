"""Structure files."""

from __future__ import annotations

from pathlib import Path

import pytest
from ase.build import bulk, molecule
from ase.io import write


@pytest.fixture(scope="session")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("systems")
    frames = []
    for i in range(6):
        frame = molecule("CH3OH")
        frame.positions += 0.01 * i
        frames.append(frame)
    write(root / "frames.extxyz", frames)
    write(root / "crystal.cif", bulk("C", "diamond", a=3.567, cubic=True))
    return root
