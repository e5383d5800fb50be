"""Equal calls give equal results in every format."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from mpcheck.adapters.upstream import o3
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
