"""Where an operation is called."""

from __future__ import annotations

from typing import Any

import torch

from mpcheck.adapters.execution import Run
from mpcheck.formats import FLOAT32
from mpcheck.judge.operations.places import Place, Places
from mpcheck.judge.operations.watch import OperationWatch
from mpcheck.judge.tolerances import limits_for, load_tolerances


def watched(module: torch.nn.Module, backward: bool) -> list[tuple[str, Place]]:
    """Places of a module's operations, called as blocks are."""
    limits = limits_for(load_tolerances(), "block", "e3nn", FLOAT32.name, "forward")
    watch = OperationWatch(FLOAT32, limits, Places({id(m): n for n, m in module.named_modules()}))
    with watch:
        run = Run(lambda named: module(named["x"]), {"x": {"__tensor__": "x"}}, {"x": torch.ones(3)}, {}, backward)
        if backward:
            run.backward({"out": torch.ones(3)})
    return [(one.name, one.place) for one in watch.seen]


class _Inner(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.exp()


class _Outer(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = _Inner()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        inner: torch.Tensor = self.inner(x)
        return inner.sin()


class _ByHand(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> torch.Tensor:
        return grad.neg()


class _WithByHand(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = _ByHand.apply(x)
        return found


def test_forward_and_backward_are_of_the_same_line() -> None:
    found = watched(_Outer(), backward=True)
    of = dict(found)
    assert of["aten.exp.default"].module == "inner"
    assert of["aten.exp.default"].line.startswith("tests/unit/judge/operations/test_places.py:")
    assert not of["aten.exp.default"].backward
    back = of["aten.cos.default"]
    assert back.backward
    assert back.line == of["aten.sin.default"].line
    last = [place for name, place in found if name == "aten.mul.Tensor"][-1]
    assert (last.module, last.line) == ("inner", of["aten.exp.default"].line)
    assert last.text == f"backward of inner at {last.line}"


def test_a_gradient_by_hand_is_of_its_own_line() -> None:
    place = dict(watched(_WithByHand(), backward=True))["aten.neg.default"]
    assert place.backward
    assert place.line == f"tests/unit/judge/operations/test_places.py:{_ByHand.backward.__code__.co_firstlineno + 2}"


def test_scripted_code_is_of_its_module() -> None:
    outer = _Outer()
    outer.inner = torch.jit.script(outer.inner)  # type: ignore[no-untyped-call]
    assert dict(watched(outer, backward=False))["aten.exp.default"].module == "inner"


def test_places_in_words() -> None:
    assert Place("a.b", "m.py:1").text == "a.b at m.py:1"
    assert Place().text == "the block's own call"
