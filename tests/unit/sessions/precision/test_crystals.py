"""Perfect crystals, and all but perfect ones: equal terms round alike, what symmetry makes zero underflows, and sound code is not called wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from ase import Atoms
from ase.build import bulk
from ase.io import write

from mpcheck.checks.precision import CellKey
from mpcheck.sessions.options import Options
from mpcheck.sessions.precision.limits import judge_by_limits
from mpcheck.sessions.run import Session


def nearly(atoms: Atoms) -> Atoms:
    """As a file of few decimals has it."""
    atoms.rattle(1e-6, seed=2)
    return atoms


CRYSTALS = {
    "body-centred": (lambda: bulk("C", "bcc", a=2.4, cubic=True), ["interactions.1.scatter"], "float32", "forward"),
    "diamond": (lambda: bulk("C", "diamond", a=3.567), ["interactions.1.scatter"], "float32", "forward"),
    "rock-salt": (
        lambda: bulk("CO", "rocksalt", a=4.2, cubic=True),
        ["products.0.symmetric_contractions", "products.0.linear"],
        "bfloat16",
        "backward",
    ),
    "nearly-silicon": (lambda: nearly(bulk("C", "diamond", a=5.43, cubic=True)), ["edge_vectors"], "bfloat16", "backward"),
}


@pytest.mark.parametrize("name", CRYSTALS)
def test_sound_blocks_are_green_on_crystals(name: str, tmp_path: Path) -> None:
    make, blocks, fmt, direction = CRYSTALS[name]
    system = str(tmp_path / f"{name}.xyz")
    write(system, make())
    session = Session(Options(model="builtin:hco", systems=(system,), backends=("e3nn",), cache=tmp_path / "cache"))
    for block in blocks:
        cell = judge_by_limits(session, CellKey(system, block, "e3nn", fmt, direction))
        assert cell.verdict == "pass", cell.reason
