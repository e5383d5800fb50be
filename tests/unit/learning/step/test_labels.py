from __future__ import annotations

import torch

from mpcheck.learning.step.inspection import library_of
from mpcheck.learning.step.labels import ENERGY, FORCE, disturbed_labels, own_values
from mpcheck.sessions.run import Session


def test_labels_are_the_models_own_values_disturbed_by_a_usual_error(run: Session) -> None:
    library = library_of(run, "builtin:water")
    own = own_values(library.model, library.graph, strained=True)
    labels = disturbed_labels(own, library.graph, 0)
    atoms = len(library.graph["positions"])
    assert set(own) == {"energy", "forces", "stress"} <= set(labels)
    assert 0 < float((labels["energy"] - own["energy"]).abs().max()) < 4 * ENERGY * atoms
    assert abs(float((labels["forces"] - own["forces"]).std()) / FORCE - 1) < 0.2
    assert torch.equal(labels["stress"] - own["stress"], (labels["stress"] - own["stress"]).transpose(-1, -2))
    assert torch.equal(labels["forces"], disturbed_labels(own, library.graph, 0)["forces"])
    assert not torch.equal(labels["forces"], disturbed_labels(own, library.graph, 1)["forces"])
    weights = [labels[n] for n in ("weight", "energy_weight", "forces_weight", "stress_weight")]
    assert all(bool((w != 1).all()) and bool((torch.frexp(w).mantissa == 0.5).all()) for w in weights)


def test_the_gradient_is_neither_zero_nor_all_clipped_away(run: Session) -> None:
    values = library_of(run, "builtin:water").plain().values
    gradients = {n: v for n, v in values.items() if n.startswith("weight.loss.") and "cueq" not in n}
    assert all(float(g.norm()) > 0 for g in gradients.values())
    assert float(values["loss"]) > 0
