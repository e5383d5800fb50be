"""Noise of every row: the same some rows at a time as all at once, and as large as a reference's."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from mpcheck.adapters.observe import Arguments, Observer
from mpcheck.adapters.parts import parts_of
from mpcheck.adapters.upstream import quiet
from mpcheck.judge import row_noise as module
from mpcheck.judge.row_noise import Call, row_means, row_noise, rows_alone
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
    backend = session.reference_backend
    values = evaluate(backend, block, skeleton, inputs, {})
    graph = session.graph(SYSTEM)
    alone = rows_alone(skeleton, inputs, len(graph["positions"]), graph["edge_index"].shape[1])
    groups = {n: parts_of(block, backend.module(block), n, tuple(v.shape)).groups for n, v in values.items()}
    return Call(block, skeleton, inputs, groups, alone, max(v[:1].numel() for v in values.values())), values


@pytest.mark.parametrize(
    "name", ["radial_embedding.bessel_fn", "interactions.0.conv_tp", "interactions.1.linear", "products.0.symmetric_contractions"]
)
def test_some_rows_at_a_time_are_disturbed_as_all_at_once(name: str, session: Session, seen: Arguments, monkeypatch: pytest.MonkeyPatch) -> None:
    call, values = call_of(session, seen, name)
    assert call.alone == len(values["out"] if "out" in values else values["out.0"])
    rows, called = call.alone // 3, list[int]()
    right = module.evaluate
    monkeypatch.setattr(module, "evaluate", lambda b, block, s, given, c: called.append(1) or right(b, block, s, given, c))  # type: ignore[func-returns-value]
    components = ("stored", "operation", "operand")
    whole = row_noise(session.reference_backend, call, values, components, 0)
    assert not called
    monkeypatch.setattr(module, "AT_ONCE", rows * call.width)
    parts = row_noise(session.reference_backend, call, values, components, 0)
    assert len(called) == -(-call.alone // rows)
    for result, by_component in whole.items():
        for component, squares in by_component.items():
            assert squares.shape == (len(values[result]), max(1, len(call.groups[result])))
            assert torch.allclose(parts[result][component], squares, rtol=1e-4, atol=1e-12 * float(squares.max())), (result, component)


@pytest.mark.parametrize("name", ["interactions.0.conv_tp", "interactions.0.scatter"])
def test_rows_are_as_noisy_as_a_reference_says(name: str, session: Session, seen: Arguments) -> None:
    call, values = call_of(session, seen, name)
    reference = session.library(SYSTEM).get(name)
    components = [c for c in ("stored", "operation", "scatter") if c in reference.noise["out"]]  # many roundings, which few draws know
    found = row_noise(session.reference_backend, call, values, components, 0)["out"]
    for component in components:
        told = row_means(reference.noise["out"][component].double().square(), call.groups["out"])
        assert torch.allclose(found[component].mean(0), told.mean(0), rtol=0.5), component
        resolved = told[:, 0] > 0.01 * told[:, 0].mean()
        ratios = (found[component][:, 0] / told[:, 0])[resolved].log()
        assert abs(float(ratios.median())) < 0.5, component


def test_a_block_whose_rows_depend_on_each_other_is_disturbed_whole(session: Session, seen: Arguments, monkeypatch: pytest.MonkeyPatch) -> None:
    call, _ = call_of(session, seen, "interactions.1.linear")
    kind = type(session.reference_backend.model.get_submodule("interactions.1.linear"))
    right = kind.forward
    monkeypatch.setattr(kind, "forward", lambda self, x, *more: right(self, x - x.mean(0), *more))
    monkeypatch.setattr(module, "AT_ONCE", 8 * call.width)
    values = evaluate(session.reference_backend, call.block, call.skeleton, call.inputs, {})
    parts = row_noise(session.reference_backend, call, values, ("stored",), 0)["out"]["stored"]
    monkeypatch.setattr(module, "AT_ONCE", 2**40)
    assert torch.equal(parts, row_noise(session.reference_backend, call, values, ("stored",), 0)["out"]["stored"])


def test_what_adds_up_or_has_two_kinds_of_rows_is_not_split() -> None:
    edges, atoms = torch.zeros(30, 2), torch.zeros(7, 2)
    assert rows_alone({}, {"a": edges, "b": edges[:, 0]}, 7, 30) == 30 and rows_alone({}, {"a": atoms}, 7, 30) == 7
    assert rows_alone({}, {"a": edges, "b": atoms}, 7, 30) is None and rows_alone({}, {"a": torch.zeros(3)}, 7, 30) is None
    assert rows_alone({"dim_size": 7}, {"src": edges, "index": torch.zeros(30, dtype=torch.long)}, 7, 30) is None
    assert rows_alone({}, {"a": edges, "edge_index": torch.zeros(2, 30, dtype=torch.long)}, 7, 30) is None
    assert rows_alone({}, {"a": edges}, 30, 30) is None


def test_means_are_of_each_group() -> None:
    squares = torch.tensor([[1.0, 3.0, 8.0], [0.0, 0.0, 2.0]])
    assert row_means(squares, []).tolist() == [[4.0], [2 / 3]] or torch.allclose(row_means(squares, []), torch.tensor([[4.0], [2 / 3]]))
    assert row_means(squares, [("a", slice(0, 2)), ("b", slice(2, 3))]).tolist() == [[2.0, 8.0], [0.0, 2.0]]
