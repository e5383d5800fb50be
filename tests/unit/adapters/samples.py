"""The smallest model that has every kind of block."""

from __future__ import annotations

ARCHITECTURE = {
    "schema_version": 1, "name": "tiny", "elements": ["H", "O"], "atomic_energies": {"H": -13.6, "O": -2041.8}, "r_max": 3.0, "max_ell": 1,
    "hidden_irreps": "3x0e + 3x1o", "MLP_irreps": "2x0e", "correlation": 2, "num_interactions": 2, "avg_num_neighbors": 5.0, "radial_MLP": [4],
    "num_bessel": 3, "weights_seed": 1,
}  # fmt: skip
EMBEDDED = {
    "total_charge": {"type": "categorical", "per": "graph", "num_classes": 5, "offset": 2, "emb_dim": 3},
    "total_spin": {"type": "categorical", "per": "graph", "num_classes": 5, "emb_dim": 3},
    "elec_temp": {"type": "continuous", "per": "graph", "in_dim": 1, "emb_dim": 3},
    "label": {"type": "continuous", "per": "atom", "in_dim": 1, "emb_dim": 2, "key": "my_label"},
}
"""Upstream's ``embedding_specs`` with an entry of every kind."""
TWO_HEADS = {
    **ARCHITECTURE, "heads": ["a", "b"], "atomic_energies": {"a": {"H": -13.6, "O": -2041.8}, "b": {"H": -12.1, "O": -2031.8}},
    "atomic_inter_scale": {"a": 0.7, "b": 0.9}, "atomic_inter_shift": {"a": 0.0, "b": 0.1},
}  # fmt: skip
"""The tiny model with two heads that differ in everything."""
