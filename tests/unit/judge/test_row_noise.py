"""Noise of some rows: the same in a smaller call as in the whole one, and as large as a reference's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mpcheck.adapters.observe import Arguments, Observer
from mpcheck.adapters.parts import parts_of
from mpcheck.adapters.upstream import quiet
from mpcheck.judge import row_noise as module
from mpcheck.judge.row_noise import Call, row_means, row_noise
from mpcheck.reference.build import evaluate
from mpcheck.sessions.run import Options, Session

SYSTEM = "builtin:water"


@pytest.fixture(scope="module")
def session(cache: Path) -> Session:
    return Session(Options(systems=(SYSTEM,), formats=("float32",), backends=("e3nn",), cache=cache))


@pytest.fixture(scope="module")
def seen(session: Session) -> Arguments:
    arguments, model = Arguments(), session.reference_backend.model
    with quiet(), Observer(model, arguments).watching():
        model({n: t.clone() for n, t in session.graph(SYSTEM).items()}, compute_force=False)
    return arguments


def call_of(session: Session, seen: Arguments, name: str) -> tuple[Call, dict[str, torch.Tensor]]:
    block, skeleton, inputs = seen.blocks[name]
    backend, graph = session.reference_backend, session.graph(SYSTEM)
    values = evaluate(backend, block, skeleton, inputs, {})
    groups = {n: parts_of(block, backend.module(block), n, tuple(v.shape)).groups for n, v in values.items()}
    return Call(block, skeleton, inputs, len(graph["positions"]), graph["edge_index"].shape[1], groups), values


ALONE = ("radial_embedding.bessel_fn", "radial_embedding", "interactions.0.conv_tp", "interactions.1.linear", "interactions.0.scatter")


@pytest.mark.parametrize("name", ALONE)
def test_some_rows_are_disturbed_in_a_smaller_call_as_in_the_whole_one(
    name: str, session: Session, seen: Arguments, monkeypatch: pytest.MonkeyPatch
) -> None:
    call, values = call_of(session, seen, name)
    result, count = next((n, len(v)) for n, v in values.items())
    rows = torch.tensor([0, 7, 11, count - 1])
    kept = call.of(rows, count)
    assert kept is not None and len(kept.rows[count]) == 4
    monkeypatch.setattr(module, "DRAWS_OF_ALL", module.DRAWS)
    components = ("stored", "operation", "scatter") if "scatter" in name else ("stored", "operation", "operand")
    some = row_noise(session.reference_backend, call, values, result, rows, components, 0)
    monkeypatch.setattr(Call, "of", lambda self, rows, count: None)
    whole = row_noise(session.reference_backend, call, values, result, rows, components, 0)
    for component, squares in whole.items():
        assert squares.shape == (4, max(1, len(call.groups[result])))
        assert torch.allclose(some[component], squares, rtol=1e-4, atol=1e-12 * float(squares.max())), component


@pytest.mark.parametrize("name", ["interactions.0.conv_tp", "interactions.0.scatter"])
def test_rows_are_as_noisy_as_a_reference_says(name: str, session: Session, seen: Arguments) -> None:
    call, values = call_of(session, seen, name)
    reference = session.library(SYSTEM).get(name)
    rows = torch.arange(0, len(values["out"]), 3)
    for component in ("stored", "operation"):
        found = row_noise(session.reference_backend, call, values, "out", rows, [component], 0)[component]  # type: ignore[list-item]  # a loop's
        told = row_means(reference.noise["out"][component].double().square(), call.groups["out"])[rows]
        assert torch.allclose(found.mean(0), told.mean(0), rtol=0.5), component
        resolved = told[:, 0] > 0.01 * told[:, 0].mean()
        assert abs(float((found[:, 0] / told[:, 0])[resolved].log().median())) < 0.5, component


def test_a_block_whose_rows_depend_on_each_other_is_disturbed_whole(session: Session, seen: Arguments, monkeypatch: pytest.MonkeyPatch) -> None:
    call, _ = call_of(session, seen, "interactions.1.linear")
    kind = type(session.reference_backend.model.get_submodule("interactions.1.linear"))
    right = kind.forward
    monkeypatch.setattr(kind, "forward", lambda self, x, *more: right(self, x - x.mean(0), *more))
    values = evaluate(session.reference_backend, call.block, call.skeleton, call.inputs, {})
    rows = torch.tensor([3, 4])
    found = row_noise(session.reference_backend, call, values, "out", rows, ("stored",), 0)["stored"]
    monkeypatch.setattr(Call, "of", lambda self, rows, count: None)
    assert torch.equal(found, row_noise(session.reference_backend, call, values, "out", rows, ("stored",), 0)["stored"])


def test_what_takes_rows_of_two_kinds_is_not_made_smaller(session: Session, seen: Arguments) -> None:
    call, values = call_of(session, seen, "interactions.0.conv_tp")
    assert replace(call, atoms=call.edges).of(torch.tensor([1]), len(values["out"])) is None
    assert call.of(torch.tensor([1]), call.atoms) is None


def test_means_are_of_each_group() -> None:
    squares = torch.tensor([[1.0, 3.0, 8.0], [0.0, 0.0, 2.0]])
    assert row_means(squares, []).tolist() == [[4.0], [2 / 3]] or torch.allclose(row_means(squares, []), torch.tensor([[4.0], [2 / 3]]))
    assert row_means(squares, [("a", slice(0, 2)), ("b", slice(2, 3))]).tolist() == [[2.0, 8.0], [0.0, 2.0]]
