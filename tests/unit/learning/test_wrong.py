"""What is wrong with a training is red, in the right regime and layer; sound trainings are not."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from mpcheck.adapters.training import lowered as lowering
from mpcheck.adapters.training import trainer as training
from mpcheck.learning.regimes import REGIMES
from mpcheck.learning.training import Run
from mpcheck.learning.wrong import KINDS, scale_text, wrongs
from tests.unit.learning.conftest import trained

SOUND = ("float64", "float32", "float32+amp-bf16", "float32+amp-fp16", "half-linear-bf16+master", "half-linear-fp16+master", "half-linear-bf16")
LAYER = "products.0.linear"


def told(run: Run) -> set[tuple[str, str]]:
    assert {one.what for one in wrongs(run)} <= set(KINDS)
    return {(one.what, one.layer) for one in wrongs(run)}


@pytest.mark.parametrize("name", SOUND)
def test_a_sound_training_is_green(name: str) -> None:
    run = trained(name)
    assert wrongs(run) == []
    assert run.validation_loss[-1] < run.validation_loss[0] and run.evaluated == "ema"
    assert bool(run.scales) is REGIMES[name].scaled


def test_moments_in_float16_end_in_no_number() -> None:
    """Adam's second moment of a gradient of 1e-4 is 1e-8, and so is its epsilon: both are zero in float16."""
    (first, *_) = wrongs(trained("half-linear-fp16"))
    assert first.what == "not a number" and "from epoch 1" in first.text and first.layer
    assert first.text.endswith("Adam's epsilon of 1e-08 is zero in float16")


def after_building(monkeypatch: pytest.MonkeyPatch, change: Callable[[torch.nn.Module], None]) -> None:
    """Change the model that is trained once it is made; the float64 one beside it stays sound."""
    sound = lowering.lowered

    def lowered(*args: Any) -> torch.nn.Module:
        model = sound(*args)
        change(model)
        return model

    monkeypatch.setattr(training, "lowered", lowered)


def detached(model: torch.nn.Module) -> None:
    """A layer that no gradient reaches."""
    module: Any = model.get_submodule(LAYER)
    inner = module._compiled_main.forward
    module.forward = lambda features, *_, **__: inner(features, module.weight.detach(), module.bias)


@pytest.mark.parametrize("name", ["float32", "half-linear-bf16+master"])
def test_a_dropped_gradient_names_its_layer(name: str, planted: Callable[..., Run], monkeypatch: pytest.MonkeyPatch) -> None:
    after_building(monkeypatch, detached)
    assert ("dropped gradient", LAYER) in told(planted(name))


def test_a_layer_that_the_optimiser_leaves_out_is_named(planted: Callable[..., Run], monkeypatch: pytest.MonkeyPatch) -> None:
    sound = training.optimiser

    def optimiser(model: torch.nn.Module, *rest: Any) -> Any:
        made, schedule = sound(model, *rest)
        left = {id(p) for p in model.get_submodule(LAYER).parameters()}
        for group in made.param_groups:
            group["params"] = [p for p in group["params"] if id(p) not in left]
        return made, schedule

    monkeypatch.setattr(training, "optimiser", optimiser)
    assert told(planted("float32")) == {("frozen layer", LAYER)}


def test_moments_in_another_type_are_named(planted: Callable[..., Run], monkeypatch: pytest.MonkeyPatch) -> None:
    sound = training.Trainer.epoch

    def epoch(self: training.Trainer, number: int) -> None:
        sound(self, number)
        for state in self.optimizer.state.values():
            state["exp_avg_sq"] = state["exp_avg_sq"].bfloat16()

    monkeypatch.setattr(training.Trainer, "epoch", epoch)
    run = planted("half-linear-bf16+master", epochs=1)
    assert ("optimiser state", LAYER) in told(run) and "bfloat16" in run.moments[LAYER]


def test_missing_master_weights_are_named(planted: Callable[..., Run], monkeypatch: pytest.MonkeyPatch) -> None:
    sound = training.lowered
    monkeypatch.setattr(training, "lowered", lambda model, how, device: sound(model, replace(how, master=False), device))
    assert ("master weights", LAYER) in told(planted("half-linear-bf16+master"))


def test_a_regime_that_rounds_nothing_is_told(planted: Callable[..., Run], monkeypatch: pytest.MonkeyPatch) -> None:
    sound = training.lowered
    monkeypatch.setattr(training, "lowered", lambda model, how, device: sound(model, replace(how, autocast=None), device))
    assert ("regime", "") in told(planted("float32+amp-bf16"))


def test_float32_that_is_float64_is_told(planted: Callable[..., Run], monkeypatch: pytest.MonkeyPatch) -> None:
    sound = training.lowered
    monkeypatch.setattr(training, "lowered", lambda model, how, device: sound(model, replace(how, base=torch.float64), device))
    monkeypatch.setattr(training.Trainer, "graphs", lambda self, frames, dtype: self._made(frames, torch.float64))
    assert {what for what, _ in told(planted("float32"))} >= {"regime", "master weights"}


@pytest.mark.parametrize(("asked", "other"), [("ema", "trained"), ("trained", "ema")])
def test_other_weights_than_those_asked_for_are_told(
    asked: str, other: training.Weights, planted: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    from mpcheck.learning.training import train
    from tests.unit.learning.conftest import SETTINGS, begun, few

    sound = training.Trainer.asked
    monkeypatch.setattr(training.Trainer, "asked", lambda self, _: sound(self, other))
    run = train(begun(), few(), REGIMES["float32"], replace(SETTINGS, epochs=1), torch.device("cpu"), asked)  # type: ignore[arg-type]
    assert told(run) == {("weights evaluated", "")}


def test_no_learning_is_told(planted: Callable[..., Run]) -> None:
    assert "no learning" in {what for what, _ in told(planted("float32", lr=0.0, lr_last=0.0, epochs=1))}


def test_what_has_learned_already_need_not_improve(planted: Callable[..., Run]) -> None:
    run = replace(trained("float32"), validation_loss=[1.0, 2.0])
    assert {what for what, _ in told(run)} == {"no learning"} and told(replace(run, fresh=False)) == set()


def test_a_loss_that_is_no_number_is_told(planted: Callable[..., Run]) -> None:
    run = planted("float32", lr=1e30, lr_last=1e30)
    assert "not a number" in {what for what, _ in told(run)}
    assert not all(map(math.isfinite, run.train_loss))


def test_a_scale_that_never_grows_is_told(planted: Callable[..., Run], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.amp.GradScaler, "update", lambda self, *_: self._per_optimizer_states.clear())
    (first, *_) = wrongs(planted("float32+amp-fp16"))
    assert first.what == "loss scale" and "stays at 256" in first.text


def test_a_scale_that_collapses_is_told(planted: Callable[..., Run], monkeypatch: pytest.MonkeyPatch) -> None:
    """Gradients that overflow whatever the scale is."""

    def infinite(model: torch.nn.Module) -> None:
        model.get_parameter("products.0.linear.weight").register_hook(lambda g: g * float("inf"))

    after_building(monkeypatch, infinite)
    run = planted("float32+amp-fp16")
    assert "collapsed" in " ".join(one.text for one in wrongs(run)) and len(run.overflowed) == run.steps


@pytest.mark.parametrize(
    ("scales", "overflowed", "expected"),
    [
        ([8.0, 4.0, 4.0, 8.0, 8.0], [0], ""),
        ([8.0, 8.0, 16.0], [], ""),
        ([8.0, 8.0, 8.0], [], "stays at 8 at step 2"),
        ([8.0, 8.0, 4.0], [], "falls to 4|stays at 4"),
        ([8.0, 8.0, 16.0], [0], "after an overflow"),
        ([8.0, 4.0], [], "falls to 4 at step 1"),
    ],
)
def test_a_history_of_scales_follows_its_overflows(scales: list[float], overflowed: list[int], expected: str) -> None:
    import re

    found = scale_text(scales, overflowed, 8.0, 2)
    assert (found == "") if not expected else re.search(expected, found)
