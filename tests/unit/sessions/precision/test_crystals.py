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
from tests.zoo import models, structures


def nearly(atoms: Atoms, by: float = 1e-6) -> Atoms:
    """As a file of few decimals has it."""
    atoms.rattle(by, seed=2)
    return atoms


def one_atom(element: str, cell: list[list[float]]) -> Atoms:
    return Atoms(element, positions=[[0, 0, 0]], cell=cell, pbc=True)


def alloy() -> Atoms:
    return Atoms("OC3", scaled_positions=[[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]], cell=[4, 4, 4], pbc=True)


ORTHORHOMBIC = [[-1.3, 1.45, 1.7], [1.3, -1.45, 1.7], [1.3, 1.45, -1.7]]
MONOCLINIC = [[1.55, 1.8, 0.0], [-1.55, 1.8, 0.0], [0.0, 0.9434953928387039, 3.7841533324763863]]


CRYSTALS = {
    "body-centred": (lambda: bulk("C", "bcc", a=2.4, cubic=True), ["interactions.1.scatter"], "e3nn", "float32", "forward"),
    "diamond": (lambda: bulk("C", "diamond", a=3.567), ["interactions.1.scatter"], "e3nn", "float32", "forward"),
    "rock-salt": (
        lambda: bulk("CO", "rocksalt", a=4.2, cubic=True),
        ["products.0.symmetric_contractions", "products.0.linear"],
        "e3nn",
        "bfloat16",
        "backward",
    ),
    "nearly-silicon": (lambda: nearly(bulk("C", "diamond", a=5.43, cubic=True)), ["edge_vectors"], "e3nn", "bfloat16", "backward"),
    # operands that differ by less than tf32's spacing round alike
    "nearly-silicon-tf32": (
        lambda: nearly(bulk("C", "diamond", a=5.43, cubic=True)),
        ["products.1.linear", "interactions.1.conv_tp"],
        "e3nn",
        "tf32",
        "backward",
    ),
    # a gradient that two of nine magnitudes decide; one part of a weight that few rows decide; one below the normal range
    "body-centred-orthorhombic": (lambda: one_atom("H", ORTHORHOMBIC), ["interactions.1"], "cueq", "float32", "backward"),
    "base-centred-monoclinic": (lambda: one_atom("C", MONOCLINIC), ["interactions.1"], "cueq", "tf32", "backward"),
    "nearly-alloy": (lambda: nearly(alloy(), 1e-3), ["interactions.1.linear"], "cueq", "float16", "backward"),
}


@pytest.mark.parametrize("name", CRYSTALS)
def test_sound_blocks_are_green_on_crystals(name: str, tmp_path: Path) -> None:
    make, blocks, backend, fmt, direction = CRYSTALS[name]
    system = str(tmp_path / f"{name}.xyz")
    write(system, make())
    session = Session(Options(model="builtin:hco", systems=(system,), backends=(backend,), cache=tmp_path / "cache"))
    for block in blocks:
        cell = judge_by_limits(session, CellKey(system, block, backend, fmt, direction))
        assert cell.verdict == "pass", cell.reason


NONLINEAR = {
    # a layer norm's weight whose gradient adds up 2,326 edges, each partial sum in 16 bits: what is lost has one sign, on every backend
    ("interactions.1", "cueq", "bfloat16", "backward"): "weight.energy.conv_tp_weights.net.1.weight",
    ("interactions.1", "cueq", "float16", "backward"): "weight.energy.conv_tp_weights.net.1.weight",
    ("interactions.1.density_fn.net", "e3nn", "bfloat16", "backward"): "weight.random.1.weight",
    # the same edges' sums in a tensor product
    ("interactions.1.conv_tp", "cueq", "float16", "backward"): "grad.random.y",
}


def test_layer_norms_and_converted_blocks_add_up_many_like_edges(tmp_path: Path) -> None:
    model, system = models.save("nonlinear", tmp_path), str(structures.save("metal-200", tmp_path))
    session = Session(Options(model=str(model), systems=(system,), backends=("e3nn", "cueq"), cache=tmp_path / "cache"))
    for (block, backend, fmt, direction), tensor in NONLINEAR.items():
        cell = judge_by_limits(session, CellKey(system, block, backend, fmt, direction))
        assert cell.verdict == "pass", cell.reason
        assert tensor in {q.name for q in cell.quantities}


def test_what_cancels_in_a_composite_is_judged_by_rows_that_round_apart(tmp_path: Path) -> None:
    """Six edges in three opposite pairs: the last rows of a matrix product are computed otherwise, so that opposite messages leave a rest."""
    model, system = models.save("nonlinear-without-cutoff", tmp_path), str(structures.save("orthorhombic", tmp_path))
    session = Session(Options(model=str(model), systems=(system,), backends=("e3nn",), cache=tmp_path / "cache"))
    for block in ("interactions.0", "interactions.1"):
        for direction in ("forward", "backward"):
            cell = judge_by_limits(session, CellKey(system, block, "e3nn", "float32", direction))
            assert cell.verdict == "pass", cell.reason
