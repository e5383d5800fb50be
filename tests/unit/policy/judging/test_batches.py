"""Batches of structures."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from mpcheck._raised import Raised
from mpcheck.policy.judging.batches import batches, evaluate_all, selected
from tests.unit.policy.judged_samples import Faulty, reference, sets, small


def test_batches_hold_every_structure_once_and_few_edges() -> None:
    """In order; those of the user's own one by one."""
    every = list(batches(sets(), small(), most_edges=500))
    assert [p for b in every for p in b.places] == list(range(len(sets().frames)))
    assert all(len(b.places) == 1 or b.graph["edge_index"].shape[1] <= 500 for b in every)
    assert every[0].places == (0,) and any(len(b.places) > 1 for b in every)


def test_structures_of_a_batch_are_found_again() -> None:
    """Selected in another order, they are the same."""
    whole = reference().evaluation
    two = selected(whole, [5, 2])
    assert torch.equal(two.energy, whole.energy[[5, 2]])
    assert torch.equal(two.forces, torch.cat([whole.forces[whole.batch == 5], whole.forces[whole.batch == 2]]))


def test_what_a_model_raises_is_taken_and_costs_its_batch_only() -> None:
    """NaN stand for that batch; without somebody who takes it, it is raised."""

    def change(out: dict[str, Any], graph: dict[str, torch.Tensor]) -> None:
        if len(out["forces"]) == 8:
            raise KeyError("bfloat16")

    failed: list[Raised] = []
    found = evaluate_all(Faulty(change), reference().every, failed=lambda _, raised: failed.append(raised))
    lost = ~found.energy.isfinite()
    assert lost.any() and torch.equal(lost, found.atoms == 8)
    assert "KeyError" in failed[0].text
    with pytest.raises(KeyError):
        evaluate_all(Faulty(change), reference().every)
