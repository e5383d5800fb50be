"""What a newcomer has: a model that mace's own classes made, and a structure, neither of which mpcheck has ever seen. Run by an environment's python.

``python foreign.py DIR`` writes ``my.model`` and ``my.xyz``; it imports nothing of mpcheck.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any


def model() -> Any:
    """A small model of rocksalt in float32, as upstream's trainer leaves one: NaCl, two layers, vectors, l up to 2."""
    import numpy as np
    from mace import modules  # before e3nn: it allows what e3nn loads

    # isort: split
    import torch
    from e3nn import o3

    torch.manual_seed(11)
    first, other = (modules.interaction_classes[f"RealAgnostic{kind}InteractionBlock"] for kind in ("Residual", "Residual"))
    made = modules.ScaleShiftMACE(
        r_max=4.0, num_bessel=6, num_polynomial_cutoff=5, max_ell=2, interaction_cls=other, interaction_cls_first=first, num_interactions=2,
        num_elements=2, hidden_irreps=o3.Irreps("4x0e + 4x1o"), MLP_irreps=o3.Irreps("4x0e"), atomic_energies=np.array([-5.2, -3.1]),
        avg_num_neighbors=14.0, atomic_numbers=[11, 17], correlation=2, gate=torch.nn.functional.silu, radial_MLP=[8, 8],
        atomic_inter_scale=0.8, atomic_inter_shift=0.1,
    )  # fmt: skip
    return made.float()


def main(directory: Path) -> None:
    """Write both."""
    import torch
    from ase.build import bulk
    from ase.io import write

    torch.save(model(), directory / "my.model")
    crystals = []
    for seed in (1, 2, 3):
        crystal = bulk("NaCl", "rocksalt", a=5.64, cubic=True)
        crystal.rattle(0.08, seed=seed)
        crystals.append(crystal)
    write(directory / "my.xyz", crystals, format="extxyz")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
