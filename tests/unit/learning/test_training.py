"""A training by upstream's functions is a training, repeats bit by bit, and leaves nothing behind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from mpcheck import _torch_state
from mpcheck.adapters.training.trainer import Trainer
from mpcheck.learning.regimes import REGIMES
from mpcheck.learning.training import Run, lowering
from tests.unit.learning.conftest import SETTINGS, begun, few, trained


def test_nothing_global_is_changed_and_the_model_stays(planted: Callable[..., Run]) -> None:
    before, weights = _torch_state.read(), [p.clone() for p in begun().parameters()]
    torch.manual_seed(5)
    drawn = torch.rand(1)
    torch.manual_seed(5)
    planted("float32+amp-fp16", epochs=1)
    assert torch.equal(torch.rand(1), drawn) and before.differences(_torch_state.read()) == []
    assert all(map(torch.equal, weights, begun().parameters()))


def test_it_repeats_bit_by_bit(planted: Callable[..., Run]) -> None:
    again = planted("half-linear-bf16+master")
    assert again.validation_loss == trained("half-linear-bf16+master").validation_loss
    assert planted("half-linear-bf16+master", seed=1, epochs=1).train_loss[0] != again.train_loss[0]


def test_every_regime_sees_the_same_batches() -> None:
    batches = []
    for name in ("float64", "float32+amp-fp16"):
        trainer = Trainer(begun(), lowering(REGIMES[name]), SETTINGS, few().train, torch.device("cpu"), REGIMES[name].scaled)
        batches.append([batch.energy.double().tolist() for _ in range(2) for batch in trainer.loader])
    assert all(np.allclose(a, b, rtol=1e-6) for a, b in zip(*batches, strict=True)) and batches[0][:2] != batches[0][2:]


def test_scaling_the_loss_changes_no_step_but_by_rounding() -> None:
    """Clipped after the scale is taken off: with a scale of 256 in float32, training is the same as without."""
    regime = REGIMES["float32"]
    plain, scaled = (Trainer(begun(), lowering(regime), replace(SETTINGS, clip_grad=0.1), few().train, torch.device("cpu"), s) for s in (False, True))
    for trainer in (plain, scaled):
        trainer.epoch(0)
    assert np.allclose(plain.losses.steps, scaled.losses.steps, rtol=1e-4) and len(scaled.steps.scales) == 2
    pairs = zip(plain.model.parameters(), scaled.model.parameters(), strict=True)
    assert all(torch.allclose(a, b, rtol=1e-3, atol=1e-4) for a, b in pairs)


def test_float32_learns_what_float64_does() -> None:
    own, exact = trained("float32").errors["test"], trained("float64").errors["test"]
    assert abs(own.force_meV_per_A / exact.force_meV_per_A - 1) < 0.01
    assert trained("float64").errors64["test"] == exact
    assert exact.inter_meV_per_A is not None and exact.intra_meV_per_A is not None


def test_only_linear_layers_hold_16_bits() -> None:
    run = trained("half-linear-bf16")
    assert {layer for layer, told in run.stored.items() if told == "bfloat16"} == run.linear
    assert {layer for layer, told in run.moments.items() if told == "bfloat16"} == run.linear
    assert set(trained("half-linear-bf16+master").stored.values()) == {"float32"}
