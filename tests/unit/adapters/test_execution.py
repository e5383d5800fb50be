"""One run of a block: its outputs by name, and vector-Jacobian products of what they depend on."""

from __future__ import annotations

from typing import Any

import torch

from mpcheck.adapters.execution import Run
from mpcheck.adapters.tree import flatten

X, WEIGHT = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64), torch.nn.Parameter(torch.tensor(0.5, dtype=torch.float64))


def run(grad: bool) -> Run:
    tensors: dict[str, torch.Tensor] = {}
    skeleton = {k: flatten(v, k, tensors) for k, v in {"x": X, "index": torch.tensor([2, 0]), "unused": X + 1}.items()}

    def call(arguments: dict[str, Any]) -> Any:
        return (arguments["x"].square() * WEIGHT, arguments["index"], arguments["x"][arguments["index"]])

    return Run(call, skeleton, tensors, {"weight": WEIGHT, "idle": torch.nn.Parameter(X.clone())}, grad)


def test_outputs_are_the_floating_point_ones_by_their_place() -> None:
    outputs = run(False).outputs
    assert set(outputs) == {"out.0", "out.2"}
    assert torch.equal(outputs["out.2"], torch.tensor([3.0, 1.0], dtype=torch.float64))


def test_gradients_are_of_what_the_outputs_depend_on() -> None:
    cotangent = torch.tensor([1.0, 10.0, 100.0], dtype=torch.float64)
    made = run(True)
    inputs, parameters = made.backward({"out.0": cotangent, "no such output": cotangent}, retain=True)
    assert set(inputs) == {"x"} and set(parameters) == {"weight"}
    assert torch.equal(inputs["x"], 2 * X * WEIGHT.detach() * cotangent)
    assert torch.equal(parameters["weight"], (X.square() * cotangent).sum())
    again, _ = made.backward({"out.2": torch.ones(2, dtype=torch.float64)})
    assert torch.equal(again["x"], torch.tensor([1.0, 0.0, 1.0], dtype=torch.float64)), "the graph was kept"


def test_a_run_without_gradients_has_none_and_leaves_its_arguments() -> None:
    assert run(False).backward({"out.0": X}) == ({}, {})
    run(True)
    assert not X.requires_grad
