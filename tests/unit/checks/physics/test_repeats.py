"""Equal calls give equal results in every format."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from mpcheck.adapters.upstream import o3
from mpcheck.checks.physics import inputs
from mpcheck.sessions.run import Session
from tests.faults.patches import PATCHES
from tests.faults.patches.planting import result_changed
from tests.faults.planted import replaced_attribute
from tests.unit.checks.physics.judging import NARROW, Graph, assert_green, assert_red, judged


@pytest.mark.parametrize("fmt", ["float32", "float64"])
def test_one_call_in_twenty(run: Session, clean: Any, fmt: str) -> None:
    place = (fmt, "dirty memory" if fmt == "float32" else "filled memory")
    assert_red(run, clean, PATCHES["edge_dropped_now_and_then"](run, every=20, dtype=fmt), "repeat", place, "equal calls differ")


@pytest.mark.parametrize("fmt", NARROW)
def test_something_kept_between_calls_of_one_type(run: Session, clean: Any, fmt: str) -> None:
    """A buffer of the linear layers' results that is not set to zero: it decays, so that early calls differ most."""
    kept: dict[tuple[int, torch.Size], torch.Tensor] = {}

    def change(self: torch.nn.Module, out: torch.Tensor, *_: Any) -> torch.Tensor:
        if out.dtype != getattr(torch, fmt):
            return out
        before = kept.get((id(self), out.shape), torch.zeros_like(out))
        kept[id(self), out.shape] = out.detach() + 0.5 * before
        return out + before

    assert_red(run, clean, result_changed(o3.Linear, change), "repeat", (fmt, "first calls"), "what a module keeps between calls")


@pytest.mark.parametrize("fmt", NARROW)
def test_gradients_of_one_type_added_to_memory_as_it_was_found(run: Session, clean: Any, fmt: str) -> None:
    calls = [0]

    def change(self: torch.nn.Module, out: torch.Tensor, *_: Any) -> torch.Tensor:
        if out.dtype == getattr(torch, fmt) and out.requires_grad:
            calls[0] += 1
            out.register_hook(lambda g: g + float("nan") if calls[0] > 30 else g)  # thirteen layers a call: from the third on
        return out

    with result_changed(o3.Linear, change):
        found = judged(run, "repeat")
    assert "fail" in {f.verdict for (f_format, _), f in found.items() if f_format == fmt}
    assert {f.verdict for (f_format, _), f in found.items() if f_format != fmt} == {"pass"}


def test_a_constant_that_is_kept_is_green(run: Session) -> None:
    kept: dict[torch.dtype, torch.Tensor] = {}

    def change(self: torch.nn.Module, out: torch.Tensor, *_: Any) -> torch.Tensor:
        return out * kept.setdefault(out.dtype, torch.ones((), dtype=out.dtype))

    assert_green(run, result_changed(o3.Linear, change), "repeat")


def test_what_does_not_run_in_a_format_is_unsupported(run: Session, model: torch.nn.Module) -> None:
    original = model.forward

    def forward(data: Graph, **flags: bool) -> Any:
        if data["positions"].dtype == torch.float16:
            raise RuntimeError("not implemented for 'Half'")
        return original(data, **flags)

    with replaced_attribute(model, "forward", forward):
        found = judged(run, "repeat")["float16", "dirty memory"]
    assert (found.verdict, "does not run in float16" in found.reason) == ("unsupported", True)


def test_chances_to_miss_are_said(clean: Any) -> None:
    found = clean["repeat"]["float32", "dirty memory"].figures
    assert found["chance_to_miss_one_call_in_20"] == pytest.approx(0.95**20)


def alternating(run: Session, factor: float) -> Any:
    """Every other call of the linear layers is off by a factor, in float64."""
    calls = [0]

    def change(self: torch.nn.Module, out: torch.Tensor, *_: Any) -> torch.Tensor:
        calls[0] += 1
        return out if out.dtype != torch.float64 or calls[0] // 13 % 2 else out * factor / factor * (1 + (factor - 3) * 1e-9)

    return result_changed(o3.Linear, change)


def test_bits_inform_and_noise_decides(run: Session, model: torch.nn.Module) -> None:
    """Equal calls whose last bits differ are no fault; whose values differ beyond noise are one."""
    with alternating(run, 3.0):
        found = judged(run, "repeat")["float64", "dirty memory"]
    assert found.verdict == "pass", found.reason
    assert float(str(found.figures["calls_not_bit_identical"])) > 0 and found.ratio
    with alternating(run, 3.001):
        assert judged(run, "repeat")["float64", "dirty memory"].verdict == "fail"


def test_a_gradient_beyond_noise_that_energy_and_forces_do_not_show(run: Session, model: torch.nn.Module) -> None:
    parameter, calls = next(p for n, p in model.named_parameters() if n == "interactions.0.linear.weight"), [0]

    def hook(grad: torch.Tensor) -> torch.Tensor:
        calls[0] += 1
        return grad if calls[0] != 8 else grad * (1 + 1e-12)

    handle = parameter.register_hook(hook)
    try:
        found = judged(run, "repeat")["float64", "dirty memory"]
    finally:
        handle.remove()
    assert (found.verdict, found.worst) == ("fail", "call 8, gradient of interactions.0.linear.weight")


def test_a_gradient_that_is_missing_once_is_named(run: Session, model: torch.nn.Module) -> None:
    calls, original = [0], inputs.forward_backward

    def sometimes(model: torch.nn.Module, graph: Graph) -> Graph:
        calls[0] += 1
        found = original(model, graph)
        return found if calls[0] != 8 else {n: t for n, t in found.items() if n != "gradient of interactions.0.linear.weight"}

    with replaced_attribute(inputs, "forward_backward", sometimes):
        found = judged(run, "repeat")["float64", "dirty memory"]
    assert (found.verdict, found.worst) == ("fail", "call 8, gradient of interactions.0.linear.weight is missing")
