"""Run by an older release of mace-torch (see :mod:`tests.zoo.older`): ``older_models.py RELEASE FOLDER`` saves random models.

It imports nothing of this project, and passes a constructor only the arguments that the release knows.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mace
import numpy as np
import torch
from e3nn import o3
from mace import modules
from mace.modules import interaction_classes

WATER = {"atomic_numbers": [1, 8], "atomic_energies": np.array([-13.6, -432.1])}
HCO = {"atomic_numbers": [1, 6, 8], "atomic_energies": np.array([-13.6, -1029.3, -432.1])}
COMMON: dict[str, Any] = dict(
    r_max=3.5, num_bessel=4, num_polynomial_cutoff=5, max_ell=2, num_interactions=2, MLP_irreps="3x0e", avg_num_neighbors=6.2, correlation=2,
    gate=torch.nn.functional.silu, radial_MLP=[8, 8], interaction_cls="RealAgnosticResidualInteractionBlock",
)  # fmt: skip
SHIFTED = {"atomic_inter_scale": 0.8, "atomic_inter_shift": -0.1}
# ``first`` is the first layer's class. Three channels and unlike layers, so that what is transposed or swapped shows.
MODELS: dict[str, dict[str, Any]] = {
    "mace": dict(model="MACE", first="RealAgnosticInteractionBlock", hidden_irreps="3x0e + 3x1o", **WATER),
    "scaleshift": dict(model="ScaleShiftMACE", first="RealAgnosticResidualInteractionBlock", hidden_irreps="3x0e + 3x1o", **SHIFTED, **HCO),
    "l2": dict(model="ScaleShiftMACE", first="RealAgnosticInteractionBlock", hidden_irreps="3x0e + 3x1o + 3x2e", **SHIFTED, **WATER),
    "options": dict(
        model="ScaleShiftMACE", first="RealAgnosticResidualInteractionBlock", hidden_irreps="3x0e + 3x1o", pair_repulsion=True,
        distance_transform="Agnesi", **SHIFTED, **WATER,
    ),
    "float32": dict(
        model="ScaleShiftMACE", first="RealAgnosticResidualInteractionBlock", hidden_irreps="3x0e + 3x1o", dtype="float32", **SHIFTED, **HCO,
    ),
}  # fmt: skip


def known(constructor: Callable[..., Any]) -> set[str]:
    """Arguments of a constructor and of those it inherits from."""
    return {name for cls in constructor.__mro__ for name in inspect.signature(cls.__init__).parameters}  # type: ignore[attr-defined]


def build(model: str, first: str, dtype: str = "float64", **options: Any) -> torch.nn.Module:
    """One model, with random weights."""
    torch.set_default_dtype(getattr(torch, dtype))
    torch.manual_seed(1)
    constructor = getattr(modules, model)
    arguments = {**COMMON, **options, "interaction_cls_first": first, "num_elements": len(options["atomic_numbers"])}
    for name in ("interaction_cls", "interaction_cls_first"):
        arguments[name] = interaction_classes[arguments[name]]
    for name in ("hidden_irreps", "MLP_irreps"):
        arguments[name] = o3.Irreps(arguments[name])
    made: torch.nn.Module = constructor(**{n: v for n, v in arguments.items() if n in known(constructor)})
    return made


if __name__ == "__main__":
    release, out = sys.argv[1], Path(sys.argv[2])
    if mace.__version__ != release:
        raise SystemExit(f"mace is {mace.__version__} from {mace.__file__}, not {release}")
    for name, options in MODELS.items():
        torch.save(build(**options), out / f"{release}-{name}.model")
