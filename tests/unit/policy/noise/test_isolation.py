"""Isolated blocks: the model computes what it computed, and what is done to one block is done to nothing else."""

from __future__ import annotations

import pytest
import torch

from mpcheck.policy.evaluation import evaluate
from mpcheck.policy.noise.isolation import BETWEEN, Isolation, Treatment
from mpcheck.reference.noise import CensusMode, NoiseMode
from tests.unit.policy.helpers.small import box, graph_of, model

LEAF = "interactions.1.linear_up"


@pytest.mark.parametrize("name", ["ScaleShiftMACE", "MACE", "EnergyDipolesMACE"])
def test_a_model_of_isolated_blocks_computes_what_it_computed(name: str) -> None:
    own, graph = model(name), graph_of(box())
    plain = evaluate(own, graph)
    isolation = Isolation(own)
    with isolation.treated({}, whole=True):
        isolated = evaluate(own, graph)
    for quantity, value in plain.values().items():
        torch.testing.assert_close(isolated.values()[quantity], value, rtol=1e-12, atol=1e-12, equal_nan=True)
    assert {"interactions.0.scatter", "energy_sum"} <= set(isolation.steps)


def test_afterwards_the_model_is_as_it_was() -> None:
    own, graph = model(), graph_of(box())
    before = _state(own)
    del graph["positions"]
    with Isolation(own).treated({LEAF: Treatment(weights=lambda t: 2 * t)}), pytest.raises(KeyError):
        evaluate(own, graph)
    assert _state(own) == before


def _state(own: torch.nn.Module) -> list[object]:
    tensors = [(n, t.data_ptr()) for n, t in [*own.named_parameters(), *own.named_buffers()]]
    return [*tensors, *((n, "forward" in m.__dict__, len(m._forward_hooks), len(m._forward_pre_hooks)) for n, m in own.named_modules())]


def test_each_operation_belongs_to_one_subject() -> None:
    own, graph = model(), graph_of(box())
    isolation = Isolation(own)
    for _ in range(3):  # TorchScript computes its first calls by other operations
        evaluate(own, graph)
    with CensusMode() as every, isolation.treated({}, whole=True):
        evaluate(own, graph)
    modes = {name: CensusMode() for name in isolation.subjects}
    with isolation.treated({name: Treatment(mode=lambda m=m: m) for name, m in modes.items()}):
        evaluate(own, graph)
    assert sum(mode.operations for mode in modes.values()) == every.operations
    assert all(modes[name].operations for name in (LEAF, "edge_vectors", BETWEEN))


def test_noise_reaches_the_backward_pass_of_its_block_alone() -> None:
    """Weights of the last read-out scale the energy and, through its backward pass, the forces; a cotangent that is changed, forces alone."""
    own, graph = model(), graph_of(box())
    plain = evaluate(own, graph)
    isolation = Isolation(own)
    doubled = Treatment(given=lambda t: 2 * t)
    with isolation.treated({"scale_shift": doubled}):
        changed = evaluate(own, graph)
    # its argument, and the cotangent of its result
    torch.testing.assert_close(changed.interaction, 2 * plain.interaction)
    torch.testing.assert_close(changed.forces, 2 * plain.forces)


def test_what_lies_between_is_disturbed_and_blocks_are_not() -> None:
    own, graph = model(), graph_of(box())
    plain = evaluate(own, graph)
    with Isolation(own).treated({BETWEEN: Treatment(mode=lambda: NoiseMode("operation", 1))}):
        between = evaluate(own, graph)
    with NoiseMode("operation", 1):
        everywhere = evaluate(own, graph)
    moved = (between.forces - plain.forces).norm(), (everywhere.forces - plain.forces).norm()
    assert 0 < moved[0] < 0.9 * moved[1]


def test_results_can_be_changed() -> None:
    own, graph = model(), graph_of(box())
    plain = evaluate(own, graph)
    with Isolation(own).treated({"scale_shift": Treatment(returned=lambda t: 3 * t)}):
        changed = evaluate(own, graph)
    torch.testing.assert_close(changed.interaction, 3 * plain.interaction)
    torch.testing.assert_close(changed.forces, 3 * plain.forces)
