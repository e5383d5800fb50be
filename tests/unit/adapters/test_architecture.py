"""Architectures that upstream would build without sense are refused."""

from __future__ import annotations

import pytest
import torch

from mpcheck._errors import InputError
from mpcheck._files.yaml import validate
from mpcheck.adapters.architecture import Architecture, constructor_arguments


def architecture(**changed: object) -> Architecture:
    data = {
        "schema_version": 1, "name": "x", "elements": ["H"], "atomic_energies": {"H": -1.0}, "r_max": 3.0, "hidden_irreps": "2x0e",
        "avg_num_neighbors": 3.0,
    }  # fmt: skip
    return validate(Architecture, data | changed, "architecture x")


def test_an_architecture_without_a_readout_is_refused() -> None:
    with pytest.raises(InputError, match="leaves no readout"):
        architecture(num_interactions=1, use_last_readout_only=True)
    assert architecture(num_interactions=2, use_last_readout_only=True)


def test_constructors_get_upstream_s_names_and_objects() -> None:
    arguments = constructor_arguments(architecture(elements=["O", "H"], atomic_energies={"H": -1.0, "O": -2.0}, gate="tanh"))
    assert arguments["atomic_numbers"] == [1, 8] and arguments["num_elements"] == 2
    assert arguments["atomic_energies"].tolist() == [-1.0, -2.0], "in the order of the numbers"
    assert arguments["gate"] is torch.tanh and arguments["atomic_inter_scale"] == 1.0
    assert not {"schema_version", "name", "model", "elements", "weights_seed"} & set(arguments)
    assert "atomic_inter_scale" not in constructor_arguments(architecture(model="MACE"))
