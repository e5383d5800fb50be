"""Sensitivities: what they cost, what they hold, and that each is the response to one block."""

from __future__ import annotations

import torch

from mpcheck.policy.noise.calls import Calls
from mpcheck.policy.noise.disturbance import DRAWS
from mpcheck.policy.noise.sensitivity import MOST, sensitivity
from tests.unit.policy.helpers.small import box, calls, graph_of, model, sensitivities


def test_they_cost_what_is_said_and_no_more_than_promised() -> None:
    said: list[str] = []
    made = sensitivity(calls(), progress=said.append)
    assert said[0].startswith("sensitivities: ") and "energy-and-force calls of" in said[0]
    promised = int(said[0].split()[1])
    assert promised <= MOST * len(made.subjects)
    assert promised < made.calls <= promised + 5  # two plain ones, one that is timed, those of the census
    assert len(said) > 10


def test_every_subject_has_its_own() -> None:
    made = sensitivities()
    assert {(s.name, part) for s in made.subjects.values() for part in s.parts} == set(made.noise)
    assert {"edge_vectors", "interactions.0.scatter", "energy_sum", "interactions.1.conv_tp", "between blocks"} <= set(made.subjects)
    linear = made.noise["interactions.1.linear", "result"]
    assert linear["forces"].shape == (12, 3) and linear["energy"].shape == (1,) and linear["stress"].shape == (1, 3, 3)
    assert float(linear["forces"].mean()) > 0
    # energies of isolated atoms: no forces, no interaction
    isolated = made.noise["energy_sum", "result"]
    assert float(isolated["energy"]) > 0 and not isolated["forces"].any() and not isolated["interaction"].any()


def test_stored_rounding_is_known_with_its_sign() -> None:
    made, own, graph = sensitivities(), model(), graph_of(box())
    from mpcheck.policy.evaluation import evaluate
    from mpcheck.policy.noise.isolation import Isolation, Treatment

    plain = evaluate(own, graph)
    with Isolation(own).treated({"readouts.0.linear": Treatment(weights=lambda t: t.to(torch.bfloat16).to(t.dtype))}):
        rounded = evaluate(own, graph)
    torch.testing.assert_close(made.known["readouts.0.linear", "bfloat16"]["energy"], rounded.energy - plain.energy)
    assert ("spherical_harmonics", "int8") not in made.known


def test_a_class_without_interaction_energy_has_one_here() -> None:
    made = sensitivities("MACE")
    assert not made.noise["energy_sum", "result"]["interaction"].isnan().any()
    assert float(made.noise["atomic_energies_fn", "given"]["interaction"]) == 0
    assert float(made.noise["readouts.0.linear", "result"]["interaction"]) > 0


def test_the_model_is_afterwards_as_before() -> None:
    own = model()
    before = {n: t.clone() for n, t in own.state_dict().items()}
    sensitivity(Calls(own, graph_of(box())))
    assert all(torch.equal(t, before[n]) for n, t in own.state_dict().items())
    assert len(DRAWS) == 5
