"""Architectures that upstream would build without sense are refused."""

from __future__ import annotations

import pytest
import torch
from ase import Atoms

from mpcheck._errors import InputError
from mpcheck._files.yaml import validate
from mpcheck.adapters.architecture import Architecture, build_model, constructor_arguments
from mpcheck.adapters.graph import make_graph
from tests.unit.adapters.samples import TWO_HEADS


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


H_AND_O = {"elements": ["O", "H"], "heads": ["a", "b"]}


def test_what_all_heads_share_is_given_to_each() -> None:
    arguments = constructor_arguments(architecture(**H_AND_O, atomic_energies={"H": -1.0, "O": -2.0}, atomic_inter_scale=0.5))
    assert arguments["atomic_energies"].tolist() == [[-1.0, -2.0], [-1.0, -2.0]]
    assert (arguments["atomic_inter_scale"], arguments["atomic_inter_shift"]) == ([0.5, 0.5], [0.0, 0.0])


def test_heads_have_energies_scales_and_shifts_of_their_own() -> None:
    energies = {"b": {"H": -3.0, "O": -4.0}, "a": {"O": -2.0, "H": -1.0}}
    arguments = constructor_arguments(architecture(**H_AND_O, atomic_energies=energies, atomic_inter_shift={"b": 1.0, "a": 2.0}))
    assert arguments["atomic_energies"].tolist() == [[-1.0, -2.0], [-3.0, -4.0]], "in the order of heads, then of numbers"
    assert arguments["atomic_inter_shift"] == [2.0, 1.0]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"atomic_energies": {"a": {"H": -1.0, "O": -2.0}}}, r"atomic_energies is given for heads \['a'\]"),
        ({"atomic_energies": {"a": {"H": -1.0, "O": -2.0}, "b": {"H": -1.0}}}, r"atomic_energies of head b must name .* missing \['O'\]"),
        ({"atomic_energies": {"H": -1.0, "O": -2.0}, "atomic_inter_scale": {"a": 1.0}}, "atomic_inter_scale is given for heads"),
        ({"atomic_energies": {"H": -1.0, "O": -2.0}, "heads": ["a", "a"]}, "distinct"),
        ({"atomic_energies": {"a": {"H": -1.0, "O": -2.0}}, "heads": None}, "the model's are none"),
    ],
)
def test_heads_that_do_not_fit_are_refused(changed: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        architecture(**H_AND_O | changed)


def test_every_head_of_a_built_model_has_its_own_energy() -> None:
    model = build_model(Architecture.model_validate(TWO_HEADS))
    frames = [Atoms("H", info={"head": head}) for head in ("b", "a")]
    energy = model(make_graph(frames, ["H", "O"], 3.0, ("a", "b")), compute_force=False)["energy"].tolist()
    assert energy[0] - energy[1] > 1.0
