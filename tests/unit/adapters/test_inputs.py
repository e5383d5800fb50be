"""What a model says that it takes, and that it gets it."""

from __future__ import annotations

import copy

import pytest
import torch
from ase import Atoms

from mpcheck.adapters.architecture import Architecture, constructor_arguments
from mpcheck.adapters.graph import make_graph
from mpcheck.adapters.inputs import model_inputs
from mpcheck.adapters.load import load_object
from mpcheck.adapters.upstream import default_dtype, mace, quiet
from mpcheck.systems.inputs import ModelInput
from tests.unit.adapters.samples import ARCHITECTURE, EMBEDDED

FRAMES = [Atoms("OH2", [[0, 0, 0], [1, 0, 0], [0, 1, 0]], info={"total_charge": -1.0, "elec_temp": 0.5}), Atoms("H", info={"total_spin": 2.0})]


@pytest.fixture(scope="module")
def embedded() -> torch.nn.Module:
    arguments = constructor_arguments(Architecture.model_validate(ARCHITECTURE))
    with default_dtype(torch.float64), quiet(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return mace.modules.ScaleShiftMACE(**arguments, embedding_specs=EMBEDDED).eval()  # type: ignore[no-any-return]


def test_a_model_without_an_embedding_takes_nothing(tiny: torch.nn.Module) -> None:
    assert model_inputs(tiny) == ()


def test_an_embedding_s_entries_with_upstream_s_defaults(embedded: torch.nn.Module) -> None:
    assert model_inputs(embedded) == (
        ModelInput("total_charge", default=0.0, stated=True, least=-2, most=2),
        ModelInput("total_spin", default=1.0, stated=True, least=0, most=4),
        ModelInput("elec_temp", default=0.0, stated=True),
        ModelInput("label", keys=("my_label",), per_atom=True),
    )


def test_classes_that_read_charges_say_so() -> None:
    class AtomicDipolesMACE(torch.nn.Module):
        """Of upstream's name."""

    assert model_inputs(AtomicDipolesMACE()) == (ModelInput("charges", per_atom=True, stated=True),)


def test_values_and_defaults_are_in_the_graph(embedded: torch.nn.Module) -> None:
    graph = make_graph(FRAMES, ["H", "O"], 3.0, inputs=model_inputs(embedded))
    assert {k: graph[k].tolist() for k in EMBEDDED} == {"total_charge": [-1.0, 0.0], "total_spin": [1.0, 2.0], "elec_temp": [0.5, 0.0], "label": [[0.0]] * 4}  # fmt: skip  # noqa: E501


@pytest.mark.parametrize("name", EMBEDDED)
def test_every_input_reaches_the_energy(embedded: torch.nn.Module, name: str) -> None:
    model, energies = load_object(embedded), []
    for value in (1.0, 2.0):
        frame = copy.deepcopy(FRAMES[0])
        if EMBEDDED[name]["per"] == "atom":
            frame.arrays[name] = torch.full((3,), value).numpy()
        else:
            frame.info[name] = value
        energies.append(float(model.module(make_graph([frame], ["H", "O"], 3.0, inputs=model.inputs), compute_force=False)["energy"].detach()))
    assert energies[0] != energies[1]
