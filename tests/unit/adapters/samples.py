"""The smallest model that has every kind of block."""

from __future__ import annotations

ARCHITECTURE = {
    "schema_version": 1, "name": "tiny", "elements": ["H", "O"], "atomic_energies": {"H": -13.6, "O": -2041.8}, "r_max": 3.0, "max_ell": 1,
    "hidden_irreps": "3x0e + 3x1o", "MLP_irreps": "2x0e", "correlation": 2, "num_interactions": 2, "avg_num_neighbors": 5.0, "radial_MLP": [4],
    "num_bessel": 3, "weights_seed": 1,
}  # fmt: skip
