"""What float32 does to a perfect crystal: the sum of the energies of isolated atoms, and forces that symmetry makes zero.

    python tools/perfect_crystal.py [N ...]

Measures where a constant energy offset of 78 eV and a force shift of 56 %, as reported of a diamond supercell in float32, can come from. The
built-in model stands in for the reported one, with its energy of an isolated carbon atom, -1029.28 eV. Per supercell of N × N × N primitive
cells (2 N³ atoms): the offset of the total in upstream's own float32, of the sum of isolated atoms alone, of the interaction energy alone, the
most that any order of a float32 sum can be off by, and RMS forces in both formats, perfect and displaced by 0.01 Å.
"""

from __future__ import annotations

import copy
import math
import sys

import numpy as np
import torch
from ase import Atoms
from ase.build import bulk

from mpcheck.adapters.graph import make_graph
from mpcheck.adapters.load import LoadedModel, load_model
from mpcheck.policy.evaluation import Evaluation, evaluate

E0 = -1029.2809654211628
SIZES = (2, 4, 6, 8)


def worst_sum(term: float, terms: int) -> float:
    """The largest error of adding up equal terms one by one in float32: half a unit in the last place of every partial sum."""
    partial = np.abs(term) * np.arange(1, terms + 1)
    return float(np.sum(2.0 ** (np.floor(np.log2(partial)) - 24)))


def both(model: LoadedModel, frame: Atoms) -> tuple[Evaluation, Evaluation]:
    """A structure in float64, and in upstream's own ``model.float()``."""
    graph = make_graph([frame], model.elements, model.r_max, model.heads, model.inputs)
    return evaluate(model.module, graph), evaluate(copy.deepcopy(model.module).float(), graph)


def rms(forces: torch.Tensor) -> float:
    """Over all components, eV/Å."""
    return math.sqrt(float(forces.square().mean()))


def main(sizes: tuple[int, ...]) -> None:
    """Print a row for each size."""
    model = load_model("builtin:hco")
    table = model.module.get_buffer("atomic_energies_fn.atomic_energies")
    table[..., model.elements.index("C")] = E0
    columns = ("atoms", "total, eV", "off by, eV", "isolated atoms alone", "interaction alone", "any order, at most")
    forces = ("RMS force f64", "f32", "displaced f64", "f32", "relative error")
    print(f"| {' | '.join((*columns, *forces))} |\n|{'---|' * 11}")
    for n in sizes:
        crystal = bulk("C", "diamond", a=3.567).repeat((n, n, n))
        exact, single = both(model, crystal)
        moved = crystal.copy()
        moved.positions += np.random.default_rng(0).normal(0, 0.01, moved.positions.shape)
        far, near = both(model, moved)
        alone = torch.zeros(1).index_add(0, torch.zeros(len(crystal), dtype=torch.int64), torch.full((len(crystal),), E0))
        isolated = float(alone.double() - E0 * len(crystal))
        relative = rms(near.forces - far.forces) / rms(far.forces)
        values = (
            f"{len(crystal)}", f"{float(exact.energy):.1f}", f"{float(single.energy - exact.energy):+.3f}", f"{isolated:+.3f}",
            f"{float(single.interaction - exact.interaction):+.1e}", f"{worst_sum(E0, len(crystal)):.1f}", f"{rms(exact.forces):.1e}",
            f"{rms(single.forces):.1e}", f"{rms(far.forces):.3f}", f"{rms(near.forces):.3f}", f"{relative:.1e}",
        )  # fmt: skip
        print(f"| {' | '.join(values)} |")


if __name__ == "__main__":
    main(tuple(int(a) for a in sys.argv[1:]) or SIZES)
