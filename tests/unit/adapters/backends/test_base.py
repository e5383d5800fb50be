"""A backend that mpcheck knows by an entry point only is required, converted, mixed, laid out and audited like its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from mpcheck import adapters
from mpcheck.adapters.backends import protocol
from mpcheck.adapters.backends.capabilities import covers, lacks, requirable
from mpcheck.checks.audit.observing import forget
from mpcheck.checks.precision import CellKey
from mpcheck.checks.symmetry import conversions
from mpcheck.judge.context import Key
from mpcheck.records.record import Record
from mpcheck.sessions.precision.limits import judge_by_limits
from mpcheck.sessions.run import Options, Session
from tests import inspections
from tests.conftest import SYSTEM
from tests.unit.toy_backend import BACKEND, put, register

LINEAR, CONTRACTION, PRODUCT = "products.0.linear", "products.0.symmetric_contractions", "products.0"


@pytest.fixture(scope="module", autouse=True)
def installed() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        register(patch, "toy", BACKEND)
        yield
    protocol.installed.cache_clear()


@pytest.fixture(scope="module")
def run(cache: Path, installed: None) -> Session:
    return Session(Options(systems=(SYSTEM,), backends=("toy", "e3nn"), formats=("float64", "bfloat16"), cache=cache))


def inspected(session: Session, suite: Any, *key: str) -> list[Record]:
    forget(session)
    return inspections.run(suite, session, Key(*key))


@pytest.mark.parametrize("block", [LINEAR, CONTRACTION, PRODUCT, "interactions.0", "interactions.1.scatter"])
@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.parametrize("fmt", ["float64", "bfloat16"])
def test_its_cells_are_judged(run: Session, block: str, direction: str, fmt: str) -> None:
    cell = judge_by_limits(run, CellKey(SYSTEM, block, "toy", fmt, direction))
    assert cell.verdict == "pass", cell.reason
    own = judge_by_limits(run, CellKey(SYSTEM, block, "e3nn", fmt, direction))
    assert [q.name for q in cell.quantities] == [q.name for q in own.quantities], "no parameter is left out"
    assert cell.note.startswith("toy")


def test_it_and_what_it_lacks_can_be_required(run: Session) -> None:
    key = CellKey(SYSTEM, LINEAR, "toy", "float64", "forward")
    assert judge_by_limits(run, key).lacking == "toy-kernels"
    required = Session(replace(run.options, require=("toy", "toy-kernels")))
    found = judge_by_limits(required, key)
    assert (found.verdict, found.reason) == ("fail", "required: toykernels ran in plain torch")
    assert {"toy", "toy-kernels"} <= set(requirable())
    assert covers("toy-kernels", "toy") and not covers("toy", "toy-kernels") and not covers("cueq-kernels", "toy")
    assert lacks(("toy-kernels",), "toy", "cuda") and not lacks(("toy",), "toy", "toy-kernels")


def test_its_layout_is_its_own(run: Session) -> None:
    records = inspected(run, "symmetry", "layout", LINEAR, "toy", "float64", SYSTEM)
    assert records
    for f in records:
        assert f.verdict == "pass" and f.figures["seen"], f.reason
    twin: Any = run.backend("toy")
    try:
        twin.layout = "mul_ir"
        wrong = judge_by_limits(run, CellKey(SYSTEM, LINEAR, "toy", "float64", "forward"))
    finally:
        twin.layout = "ir_mul"
    assert wrong.verdict == "fail"


@pytest.mark.parametrize("block", [LINEAR, CONTRACTION])
@pytest.mark.parametrize(("base", "donor"), [("e3nn", "toy"), ("toy", "e3nn")])
def test_it_is_mixed(run: Session, block: str, base: str, donor: str) -> None:
    bare, adapted = inspected(run, "symmetry", "mix", block, base, "", SYSTEM, donor)
    assert adapted.verdict == "pass", adapted.reason
    assert bare.verdict == "pass" and bare.figures["mismatched"], bare.reason


def test_mix_takes_it(run: Session) -> None:
    model = run.reference_backend.model
    mixed = adapters.mix(model, {LINEAR: "toy"}, base="e3nn")
    graph = run.graph(SYSTEM)
    wanted, got = (m({k: v.clone() for k, v in graph.items()}, compute_force=False)["energy"] for m in (model, mixed))
    assert torch.allclose(wanted, got, rtol=1e-12)


def test_it_is_converted_and_back(run: Session) -> None:
    keys = conversions.keys(run)
    assert {k.backend for k in keys} == {"toy"} and len(keys) == 9, "its own model and the covering set"
    assert [(f.variant, f.verdict) for f in conversions.run(run, keys[0])] == [("keys", "pass"), ("weights", "pass")]
    assert [(f.variant, f.verdict) for f in conversions.run(run, keys[1])] == [("keys", "pass"), ("weights", "pass"), ("blocks", "pass")]


def test_a_lossy_way_back_fails(run: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    right = BACKEND.converter._to_e3nn

    def rounded(twin: torch.nn.Module) -> torch.nn.Module:
        model: torch.nn.Module = right(twin)
        weight = model.get_submodule(LINEAR).weight
        weight.data = weight.data.float().double()  # type: ignore[operator,union-attr]
        return model

    monkeypatch.setattr(BACKEND.converter, "_to_e3nn", rounded)
    found = conversions.run(run, conversions.keys(run)[0])
    assert found[0].verdict == "fail" and f"{LINEAR}.weight: moved by" in found[0].reason


def test_its_engagement_is_audited(run: Session) -> None:
    (found,) = inspected(run, "audit", "engagement", PRODUCT, "toy", "bfloat16", SYSTEM)
    assert found.verdict == "pass" and "toykernels.Kernel" in found.figures["classes"] and found.figures["calls"] == 2.0
    twin: Any = run.backend("toy")
    kernel = twin.model.get_submodule(LINEAR)
    try:
        put(twin.model, LINEAR, kernel.inner)
        (found,) = inspected(run, "audit", "engagement", LINEAR, "toy", "bfloat16", SYSTEM)
    finally:
        put(twin.model, LINEAR, kernel)
    assert found.verdict == "degraded" and "no kernel of toykernels" in found.reason and found.lacking == "toy"


def test_a_kernel_that_is_never_called_is_told(run: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    twin: Any = run.backend("toy")
    product, kernel = twin.model.get_submodule(PRODUCT), twin.model.get_submodule(LINEAR)
    key = CellKey(SYSTEM, PRODUCT, "toy", "float64", "forward")
    assert judge_by_limits(run, key).verdict == "pass"
    original = type(product).forward

    def round_it(*args: Any, **kwargs: Any) -> torch.Tensor:
        product._modules["linear"] = lambda x: kernel.forward(x)
        try:
            result: torch.Tensor = original(product, *args, **kwargs)
        finally:
            product._modules["linear"] = kernel
        return result

    monkeypatch.setitem(product.__dict__, "forward", round_it)
    found = judge_by_limits(run, key)
    assert found.verdict == "degraded" and "toykernels.Kernel at linear was never called" in found.reason


def test_its_types_and_its_construction_are_audited(run: Session) -> None:
    (found,) = inspected(run, "audit", "dtypes", LINEAR, "toy", "bfloat16", SYSTEM)
    assert found.verdict == "pass", found.reason
    (made,) = inspected(run, "audit", "dtypes", "construction", "toy")
    assert made.verdict == "pass" and made.reason.startswith("converting a float64 model leaves"), made.reason
