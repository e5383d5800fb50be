"""Planted faults turn a step red, and name what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from mpcheck.adapters.learning import taking
from mpcheck.adapters.upstream import mace
from mpcheck.learning.step import replay
from mpcheck.learning.step.names import DERIVATIVE, DIGEST, GRADIENTS, LOSS, OPTIMIZER, UPDATE
from mpcheck.records.record import Record
from tests.unit.learning.step.conftest import Steps

LAYER = "interactions.0.linear"


def red(records: dict[str, Record]) -> set[str]:
    return {subject for subject, r in records.items() if r.verdict == "fail"}


def optimizer(monkeypatch: pytest.MonkeyPatch, **settings: Any) -> type[torch.optim.Adam]:
    """Upstream's optimiser is of another class or has other settings; returns the class, to be changed."""

    class Planted(torch.optim.Adam):
        pass

    def made(args: Any, options: dict[str, Any]) -> torch.optim.Optimizer:
        return Planted(**{**options, **settings})

    monkeypatch.setattr(taking.scripts_utils, "get_optimizer", made)
    return Planted


def hooked(monkeypatch: pytest.MonkeyPatch, parameter: str, change: Callable[[torch.Tensor], torch.Tensor]) -> None:
    """The judged model's gradient by one parameter goes through a function."""
    original = replay.copied

    def copied(model: torch.nn.Module, dtype: torch.dtype) -> torch.nn.Module:
        made = original(model, dtype)
        dict(made.named_parameters())[parameter].register_hook(change)
        return made

    monkeypatch.setattr(replay, "copied", copied)


def test_moments_kept_in_bfloat16(monkeypatch: pytest.MonkeyPatch, steps: Steps) -> None:
    planted = optimizer(monkeypatch)

    def step(self: Any, closure: Any = None) -> None:
        torch.optim.Adam.step(self, closure)
        for own in self.state.values():
            own.update({k: own[k].bfloat16().float() for k in taking.STATES})

    monkeypatch.setattr(planted, "step", step, raising=False)
    assert red(steps()) == {OPTIMIZER}


@pytest.mark.parametrize(
    "change",
    [torch.zeros_like, lambda g: g.flip(0), lambda g: torch.cat([g[1:2], g[:1], g[2:]])],
    ids=["dropped", "reversed", "two elements swapped"],
)
def test_the_gradient_of_one_layer(monkeypatch: pytest.MonkeyPatch, steps: Steps, change: Callable[[torch.Tensor], torch.Tensor]) -> None:
    hooked(monkeypatch, f"{LAYER}.weight", change)
    records = steps()
    assert {GRADIENTS, DIGEST, OPTIMIZER, UPDATE} == red(records)
    for subject in (GRADIENTS, DIGEST):
        assert records[subject].block == LAYER and f"{LAYER}.weight" in records[subject].reason


def test_a_gradient_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, steps: Steps) -> None:
    original = replay.copied

    def copied(model: torch.nn.Module, dtype: torch.dtype) -> torch.nn.Module:
        made = original(model, dtype)
        made.get_submodule(LAYER).register_parameter("weight", torch.nn.Parameter(made.get_submodule(LAYER).weight.detach(), requires_grad=False))
        return made

    monkeypatch.setattr(replay, "copied", copied)
    records = steps()
    assert records[GRADIENTS].verdict == "fail" and f"no gradient: that of the parameter {LAYER}.weight is None" in records[GRADIENTS].reason


def test_a_loss_scale_that_is_not_undone(monkeypatch: pytest.MonkeyPatch, steps: Steps) -> None:
    original = torch.amp.GradScaler._unscale_grads_

    def kept(self: Any, optimizer: Any, inverse: torch.Tensor, found: torch.Tensor, allow: bool) -> Any:
        return original(self, optimizer, torch.ones_like(inverse), found, allow)

    monkeypatch.setattr(torch.amp.GradScaler, "_unscale_grads_", kept)
    assert GRADIENTS in red(steps("masters", "float16"))


def test_a_step_that_is_skipped_is_said(monkeypatch: pytest.MonkeyPatch, steps: Steps) -> None:
    hooked_scale = torch.amp.GradScaler.scale
    monkeypatch.setattr(torch.amp.GradScaler, "scale", lambda self, loss: hooked_scale(self, loss) * 2.0**40)  # float16 overflows
    records = steps("masters", "float16")
    assert {GRADIENTS, OPTIMIZER, UPDATE} <= red(records)
    assert records[UPDATE].reason.startswith("the step was skipped: gradients are not finite at a loss scale of ")


def test_forces_without_a_graph_of_their_backward(monkeypatch: pytest.MonkeyPatch, steps: Steps) -> None:
    for name in ("compute_forces", "compute_forces_virials"):
        original = getattr(mace.modules.utils, name)

        def detached(*args: Any, original: Any = original, **kwargs: Any) -> Any:
            found = original(*args, **kwargs)
            return tuple(t.detach() if t is not None else None for t in found) if isinstance(found, tuple) else found.detach()

        monkeypatch.setattr(mace.modules.utils, name, detached)
    records = steps()
    assert {GRADIENTS, DIGEST, OPTIMIZER, UPDATE} <= red(records) and LOSS not in red(records)
    assert records[GRADIENTS].block == ""  # it is nobody's alone
    assert DERIVATIVE in red(steps("plain", "float64"))  # without any reference


def test_a_wrong_gradient_of_one_layer_is_no_derivative_of_the_loss(monkeypatch: pytest.MonkeyPatch, steps: Steps) -> None:
    hooked(monkeypatch, f"{LAYER}.weight", lambda g: 1.01 * g)
    record = steps("plain", "float64")[DERIVATIVE]
    assert record.verdict == "fail" and record.block == "interactions.0"
    assert record.reason.startswith("interactions.0: the gradient of the loss is ") and record.ratio is not None and record.ratio > 10


def test_a_norm_that_is_not_clipped(monkeypatch: pytest.MonkeyPatch, steps: Steps) -> None:
    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", lambda *_, **__: None)
    records = steps()
    assert OPTIMIZER in red(records) and GRADIENTS not in red(records)


def test_weight_decay_of_another_group(monkeypatch: pytest.MonkeyPatch, steps: Steps) -> None:
    original = taking.scripts_utils.get_params_options

    def decaying(args: Any, model: torch.nn.Module) -> dict[str, Any]:
        options = original(args, model)
        for group in options["params"]:
            if group["name"] == "readouts":
                group["weight_decay"] = args.weight_decay
        return options

    monkeypatch.setattr(taking.scripts_utils, "get_params_options", decaying)
    records = steps("plain", "float64")
    assert OPTIMIZER in red(records) and GRADIENTS not in red(records)
    assert {q.name.partition(".")[2].partition(".")[0] for q in records[OPTIMIZER].quantities if q.failures} == {"readouts"}


def test_an_update_in_float16(monkeypatch: pytest.MonkeyPatch, steps: Steps) -> None:
    planted = optimizer(monkeypatch)

    def step(self: Any, closure: Any = None) -> None:
        torch.optim.Adam.step(self, closure)
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.data = parameter.data.half().to(parameter.dtype)

    monkeypatch.setattr(planted, "step", step, raising=False)
    assert red(steps()) == {UPDATE}


@pytest.mark.parametrize("settings", [{"amsgrad": False}, {"betas": (0.9, 0.99)}, {"lr": 0.02}, {"eps": 1e-6}], ids=str)
def test_another_setting_of_the_optimizer(monkeypatch: pytest.MonkeyPatch, steps: Steps, settings: dict[str, Any]) -> None:
    planted = optimizer(monkeypatch, **settings)
    if "lr" in settings:
        original = planted.__init__

        def made(self: Any, params: Any, **options: Any) -> None:
            original(self, [{**group, "lr": settings["lr"]} for group in params], **options)

        monkeypatch.setattr(planted, "__init__", made)
    assert red(steps()) & {OPTIMIZER, UPDATE}
    assert not red(steps()) & {LOSS, GRADIENTS, DIGEST}


def test_a_counter_of_steps_that_stands_still(monkeypatch: pytest.MonkeyPatch, steps: Steps) -> None:
    planted = optimizer(monkeypatch)

    def step(self: Any, closure: Any = None) -> None:
        torch.optim.Adam.step(self, closure)
        for own in self.state.values():
            own["step"] -= 1

    monkeypatch.setattr(planted, "step", step, raising=False)
    records = steps()
    assert red(records) == {OPTIMIZER} and "the optimiser counts 3 steps" in records[OPTIMIZER].reason


def test_a_step_that_raises_is_red(monkeypatch: pytest.MonkeyPatch, steps: Steps) -> None:
    planted = optimizer(monkeypatch)

    def step(self: Any, closure: Any = None) -> None:
        raise RuntimeError("no room")

    monkeypatch.setattr(planted, "step", step, raising=False)
    (record,) = steps().values()
    assert record.verdict == "fail" and "no room" in record.reason


def test_a_loss_of_other_weights(monkeypatch: pytest.MonkeyPatch, steps: Steps) -> None:
    original = mace.modules.loss.mean_squared_error_forces

    def without(ref: Any, pred: Any, ddp: Any = None) -> torch.Tensor:
        return original(_Plain(ref), pred, ddp)

    monkeypatch.setattr(mace.modules.loss, "mean_squared_error_forces", without)
    assert {LOSS, GRADIENTS} <= red(steps())


class _Plain:
    """A batch whose structures all weigh one."""

    def __init__(self, ref: Any) -> None:
        self.ref = ref
        self.weight = torch.ones_like(ref.weight)
        self.forces_weight = torch.ones_like(ref.forces_weight)
        self.ptr = ref.ptr

    def __getitem__(self, name: str) -> torch.Tensor:
        return self.ref[name]
