"""Known faults of OpenEquivariance, planted into its stand-in: each is red, with the block named, and what is sound is green."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from mpcheck.adapters.backends.oeq import BACKEND, BACKEND_HYBRID
from mpcheck.adapters.backends.protocol import Backend, added
from mpcheck.checks.precision import CellKey
from mpcheck.checks.symmetry import conversions
from mpcheck.judge.context import Key
from mpcheck.judge.engaged import engaged
from mpcheck.judge.replay import BACKWARD, FORWARD
from mpcheck.judge.upstream_limits import load_limits
from mpcheck.records.record import Record
from mpcheck.sessions.precision.limits import judge_by_limits
from mpcheck.sessions.run import Options, Session
from mpcheck.survey.probes.oeq import findings
from tests import inspections
from tests.fakes.oeq import posing
from tests.faults.patches.gradients import Accumulated, _ScaledColumns

SYSTEM, LAYER = "builtin:water", "interactions.1"
Given = tuple[Any, torch.Tensor, torch.Tensor, torch.Tensor]


@pytest.fixture(scope="module")
def library() -> Iterator[Any]:
    with posing() as found, added(BACKEND), added(BACKEND_HYBRID):
        yield found


@pytest.fixture(scope="module")
def run(library: Any, cache: Path) -> Session:
    """builtin:hco on water, where a processor poses as a GPU; references are made before any fault is planted."""
    blocks, formats = ("interactions.0", LAYER), ("float64", "float32")
    made = Session(Options(systems=(SYSTEM,), device="cuda", backends=(BACKEND.name,), formats=formats, blocks=blocks, cache=cache))
    for block in blocks:
        made.library(SYSTEM).get(block)
    return made


def cells(run: Session) -> dict[tuple[str, str, str], Record]:
    keys = [
        CellKey(SYSTEM, block, BACKEND.name, fmt, direction)
        for block in ("interactions.0", LAYER)
        for fmt in ("float64", "float32")
        for direction in (FORWARD, BACKWARD)
    ]
    return {(k.block, k.format, k.direction): judge_by_limits(run, k) for k in keys}


@contextlib.contextmanager
def planted(library: Any, change: Callable[..., Given]) -> Iterator[None]:
    """Every product with its operands changed."""
    original = library.kernels.product
    library.kernels.product = lambda *given: original(*change(*given))
    try:
        yield
    finally:
        library.kernels.product = original


def test_sound_convolutions_are_green(run: Session) -> None:
    assert {place: r.reason for place, r in cells(run).items() if r.verdict != "pass"} == {}


def test_half_the_weight_gradient_of_one_instruction_in_float32(run: Session, library: Any) -> None:
    """A1."""

    def change(problem: Any, x: torch.Tensor, y: torch.Tensor, w: torch.Tensor) -> Given:
        if w.dtype == torch.float32 and w.requires_grad:
            last = library.kernels.module(problem).instructions[-1]
            w = _ScaledColumns.apply(w, w.shape[1] - int(torch.Size(last.path_shape).numel()), w.shape[1], 0.5)  # type: ignore[no-untyped-call]
        return problem, x, y, w

    with planted(library, change):
        found = cells(run)
    red = {place for place, r in found.items() if r.verdict == "fail"}
    assert red == {("interactions.0", "float32", BACKWARD), (LAYER, "float32", BACKWARD)}
    assert all(found[place].worst.startswith("grad.") for place in red), [found[place].worst for place in red]


def test_the_first_operand_read_in_the_other_layout(run: Session, library: Any) -> None:
    """As A5, of the operand that has more than one channel in MACE."""

    def change(problem: Any, x: torch.Tensor, y: torch.Tensor, w: torch.Tensor) -> Given:
        return problem, library.transpose_irreps(x, problem.irreps_in1, "ir_mul", "mul_ir"), y, w

    with planted(library, change):
        found = cells(run)
    assert {r.verdict for (block, _, _), r in found.items() if block == LAYER} == {"fail"}
    assert {r.verdict for (block, _, _), r in found.items() if block != LAYER} == {"pass"}, "scalars lie alike in both"


def test_a_second_operand_of_two_channels_read_transposed_fails_the_load_test(library: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A5: MACE's second operand is one channel, so that no block shows it."""
    sound = library.kernels.second
    assert {f.verdict for f in findings("cuda")} == {"pass"}
    monkeypatch.setattr(library.kernels, "second", lambda problem, y: y if problem.layout == "ir_mul" else sound(problem, y))
    red = {f.name for f in findings("cuda") if f.verdict == "fail"}
    assert red == {f"{kind}, 2 channels in the second operand, ir_mul" for kind in ("product", "convolution")}


def test_gradients_added_to_memory_as_it_was_found(run: Session, library: Any) -> None:
    """A12."""
    key = Key("physics", "repeat", BACKEND.name, "float64", SYSTEM)

    def judged() -> dict[tuple[str, str], Record]:
        return {(f.format, f.variant): f for f in inspections.run("audit", run, key)}

    def change(problem: Any, x: torch.Tensor, y: torch.Tensor, w: torch.Tensor) -> Given:
        return problem, x, y, Accumulated.apply(w)  # type: ignore[no-untyped-call]

    assert {f.verdict for f in judged().values()} <= {"pass", "unsupported"}
    with planted(library, change):
        found = judged()[("float64", "filled against plain")]
    assert found.verdict == "fail" and "poisoned" in found.reason


def test_a_layer_that_the_converter_left_is_degraded(run: Session) -> None:
    model: Any = run.backend(BACKEND.name)
    layer = model.model.get_submodule(LAYER)
    kept, fused = layer.conv_tp, layer.conv_fusion
    try:
        layer.conv_tp = run.reference_backend.model.get_submodule(LAYER).conv_tp
        del layer.conv_fusion
        found = cells(run)
    finally:
        layer.conv_tp, layer.conv_fusion = kept, fused
    degraded = {(block, r.verdict) for (block, _, _), r in found.items()}
    assert degraded == {("interactions.0", "pass"), (LAYER, "degraded")}
    assert all("not replaced by oeq" in r.reason for (block, _, _), r in found.items() if block == LAYER)


def test_a_kernel_that_is_gone_round_is_told(run: Session) -> None:
    model: Any = run.backend(BACKEND.name)
    block = run.library(SYSTEM).block(LAYER)
    with engaged(model, block) as instead:
        pass
    assert instead == ["openequivariance.TensorProductConv at conv_tp was never called"]


@pytest.mark.parametrize("backend", [BACKEND, BACKEND_HYBRID], ids=lambda b: b.name)
def test_conversions_of_one_and_three_layers(backend: Backend, run: Session) -> None:
    """On the device: the library has nothing elsewhere."""
    assert backend.converter is not None
    configurations = {c.interactions: c for c in backend.converter.configurations if c.correlation == 2}
    three = conversions.judge_configuration(run, configurations[3], load_limits())
    assert [r.verdict for r in three] == ["pass", "pass", "pass"], [r.reason for r in three]
    one = conversions.judge_configuration(run, configurations[1], load_limits())
    if backend is BACKEND_HYBRID:
        assert [r.verdict for r in one] == ["pass", "pass", "pass"], [r.reason for r in one]
    else:
        assert [(r.verdict, r.reason.partition(":")[0]) for r in one] == [("unsupported", "one-layer")]
