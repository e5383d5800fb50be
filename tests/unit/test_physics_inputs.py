"""Layouts of a whole graph, equal calls in every format, special directions, second derivatives: faults of each class are named."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from mpcheck.adapters.upstream import mace, o3
from mpcheck.checks.physics import graph_strides
from mpcheck.checks.physics.directions import labels
from mpcheck.checks.physics.extremes import Peak
from mpcheck.checks.physics.small import TILT
from mpcheck.judge.context import Key
from mpcheck.records.record import Record
from mpcheck.sessions import inspections
from mpcheck.sessions.run import Options, Session
from tests.faults.patches import PATCHES
from tests.faults.patches.planting import exchanged, result_changed
from tests.faults.planted import replaced_attribute

WATER = "builtin:water"
NARROW = ("float32", "bfloat16", "float16")
Fault = contextlib.AbstractContextManager[None]
Graph = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def run(cache: Path) -> Session:
    """One system on e3nn; no reference is needed."""
    return Session(Options(systems=(WATER,), backends=("e3nn",), cache=cache))


@pytest.fixture(scope="module")
def model(run: Session) -> torch.nn.Module:
    return run.reference_backend.model


def judged(run: Session, name: str) -> dict[tuple[str, str], Record]:
    """Findings by format and variant."""
    system = WATER if name == "repeat" else ""
    return {(f.format, f.variant): f for f in inspections.run("audit", run, Key("physics", name, "e3nn", "float64", system))}


@pytest.fixture(scope="module")
def clean(run: Session) -> dict[str, dict[tuple[str, str], Record]]:
    """Every property on sound upstream, before any fault."""
    return {name: judged(run, name) for name in ("strided-model", "repeat", "directions", "second-derivatives")}


def assert_red(run: Session, clean: Any, fault: Fault, name: str, place: tuple[str, str], *says: str) -> None:
    assert clean[name][place].verdict == "pass"
    with fault:
        found = judged(run, name)[place]
    assert found.verdict == "fail", f"not seen: {found.ratio}"
    for words in says:
        assert words in found.reason, found.reason


def assert_green(run: Session, change: Fault, name: str) -> None:
    with change:
        assert {f.id: f.reason for f in judged(run, name).values() if f.verdict != "pass"} == {}


@pytest.mark.parametrize("name", ["strided-model", "repeat", "directions", "second-derivatives"])
def test_sound_upstream_is_green(clean: Any, name: str) -> None:
    assert {f.id: f.reason for f in clean[name].values() if f.verdict != "pass"} == {}


def test_nothing_is_left_behind(run: Session, model: torch.nn.Module, clean: Any) -> None:
    """Parameters that were displaced are what they were, bit by bit, and so are torch's settings."""
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    settings = torch.get_default_dtype(), torch.is_grad_enabled(), torch.get_rng_state()
    for name in ("directions", "second-derivatives", "strided-model"):
        judged(run, name)
    assert all(torch.equal(p, before[n]) and p.dtype == torch.float64 and p.grad is None for n, p in model.named_parameters())
    assert (torch.get_default_dtype(), torch.is_grad_enabled()) == settings[:2]
    assert torch.equal(torch.get_rng_state(), settings[2])


# --- layouts of a graph


def packed(t: torch.Tensor) -> torch.Tensor:
    """Read as if its rows lay one after another."""
    return t.as_strided(t.shape, torch.empty(t.shape, device="meta").stride())


def read_as(model: torch.nn.Module, change: Callable[[Graph], Graph]) -> Fault:
    """A model that reads some tensors of its graph another way."""
    original = model.forward
    return replaced_attribute(model, "forward", lambda data, **flags: original({**data, **change(data)}, **flags))


@pytest.mark.parametrize("tensor", ["positions", "node_attrs", "edge_index", "unit_shifts", "shifts", "batch", "cell"])
def test_strides_of_any_tensor_assumed(run: Session, model: torch.nn.Module, clean: Any, tensor: str) -> None:
    fault = read_as(model, lambda data: {tensor: packed(data[tensor])})
    assert_red(run, clean, fault, "strided-model", ("float64", "every other element"), f"how {tensor} lies in memory (every other element)")


def test_columns_that_are_taken_for_rows(run: Session, model: torch.nn.Module, clean: Any) -> None:
    fault = read_as(model, lambda data: {"cell": packed(data["cell"])})
    assert_red(run, clean, fault, "strided-model", ("float64", "columns first"), "depends on how cell lies in memory (columns first)")


def test_an_offset_into_storage_that_is_forgotten(run: Session, model: torch.nn.Module, clean: Any) -> None:
    fault = read_as(model, lambda data: {"batch": data["batch"].as_strided(data["batch"].shape, data["batch"].stride(), 0)})
    assert_red(run, clean, fault, "strided-model", ("float64", "within a wider tensor"), "how batch lies")


def test_rows_without_memory_of_their_own(run: Session, model: torch.nn.Module, clean: Any) -> None:
    fault = read_as(model, lambda data: {"node_attrs": packed(data["node_attrs"]) if data["node_attrs"].stride(0) == 0 else data["node_attrs"]})
    assert_red(run, clean, fault, "strided-model", ("float64", "expanded"), "how node_attrs lies")


def test_one_tensor_speaks_for_another(run: Session, model: torch.nn.Module, clean: Any) -> None:
    """A fast path for contiguous positions, which takes the cell to be contiguous as well: right where both are, or neither."""

    def change(data: Graph) -> Graph:
        return {"cell": packed(data["cell"])} if data["positions"].is_contiguous() else {}

    assert_red(run, clean, read_as(model, change), "strided-model", ("float64", "some, the rest contiguous"), "how cell lies")


def test_a_stress_alone_that_depends_on_strides(run: Session, model: torch.nn.Module, clean: Any) -> None:
    original = model.forward

    def forward(data: Graph, **flags: bool) -> Any:
        out = original(data, **flags)
        return out | ({"stress": out["stress"] * 1.001} if out["stress"] is not None and not data["cell"].is_contiguous() else {})

    fault = replaced_attribute(model, "forward", forward)
    assert_red(run, clean, fault, "strided-model", ("float64", "columns first"), "stress depends on how cell lies in memory")


def test_copies_at_entry_are_green(run: Session, model: torch.nn.Module) -> None:
    assert_green(run, read_as(model, lambda data: {k: v.contiguous() for k, v in data.items()}), "strided-model")


def test_every_layout_keeps_values() -> None:
    for t in (torch.arange(12.0).reshape(4, 3), torch.arange(5), torch.ones(4, 2)):
        for layout, change in graph_strides.LAYOUTS.items():
            assert torch.equal(change(t), t), layout
    assert graph_strides.equal_rows(torch.ones(4, 2)).stride() == (0, 1)


def test_any_tensor_is_once_moved_while_any_other_is_not() -> None:
    graph = {name: torch.rand(4, 3) for name in "abcdefghi"}
    chosen = [set(selection) for selection in graph_strides._some(graph, set(graph))]
    assert all(any(a in s and b not in s for s in chosen) for a in graph for b in graph if a != b)


# --- equal calls


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


# --- directions


def test_labels() -> None:
    rows = [[0, 2, 0], [0, 0, -1], [1, 1, 0], [0, 3, -2], [2, -2, 2], [1, TILT, -TILT], [1, 2, 3]]
    wanted = ["along +y", "along -z", "in the xy plane", "in the yz plane", "along a body diagonal", "nearly along an axis", ""]
    assert labels(torch.tensor(rows, dtype=torch.float64)) == wanted


def test_harmonics_along_one_axis(run: Session, clean: Any) -> None:
    fault = PATCHES["harmonics_gradient_along_the_axis"](run)
    assert_red(run, clean, fault, "directions", ("float64", "blocks"), "spherical_harmonics: its gradient by x is not finite", "along +y, along -y")
    assert_red(
        run, clean, PATCHES["harmonics_gradient_along_the_axis"](run), "directions", ("float64", "coordinate axes"), "spherical_harmonics: forces"
    )


class _ZerosLeftOut(torch.autograd.Function):
    """The identity, whose gradient is lost where the value is zero: a kernel that leaves out products with zero."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x)
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> torch.Tensor:
        return grad * (ctx.saved_tensors[0] != 0)


def test_products_with_zero_left_out(run: Session, clean: Any) -> None:
    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def forward(self: Any, x: torch.Tensor, y: torch.Tensor, *weight: Any, **named: Any) -> Any:
            return original(self, x, _ZerosLeftOut.apply(y) if type(self) is o3.TensorProduct else y, *weight, **named)

        return forward

    fault = exchanged(o3.TensorProduct, "forward", make)
    assert_red(
        run, clean, fault, "directions", ("float64", "blocks"), "conv_tp: its gradient is", "along +x", "in the xy plane", "so does interactions."
    )


def test_edge_vectors_in_a_plane(run: Session, clean: Any) -> None:
    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            vectors, lengths = original(*args, **kwargs)
            return _ZerosLeftOut.apply(vectors), lengths

        return call

    fault = exchanged(mace.modules.utils, "get_edge_vectors_and_lengths", make)
    assert_red(run, clean, fault, "directions", ("float64", "blocks"), "edge_vectors: its gradient is", "in the xz plane")


def test_a_length_that_is_not_differentiable_along_one_axis(run: Session, clean: Any) -> None:
    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            vectors, _ = original(*args, **kwargs)
            return vectors, (vectors[:, :2].square().sum(1, keepdim=True).sqrt().square() + vectors[:, 2:].square()).sqrt()

        return call

    fault = exchanged(mace.modules.utils, "get_edge_vectors_and_lengths", make)
    assert_red(run, clean, fault, "directions", ("float64", "blocks"), "edge_vectors: its gradient by shifts is not finite for 2 edges along +z")


def test_a_basis_that_is_not_differentiated(run: Session, clean: Any) -> None:
    fault = result_changed(mace.modules.radial.BesselBasis, lambda self, out, *_: out.detach())
    assert_red(run, clean, fault, "directions", ("float64", "body diagonals"), "radial_embedding.bessel_fn: forces")


def test_a_root_that_is_kept_from_zero_is_green(run: Session) -> None:
    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
            square = x[..., 0].square() + x[..., 2].square()
            return original(self, x) + 0.0 * torch.where(square > 0, square, torch.ones_like(square)).sqrt().unsqueeze(-1)

        return forward

    assert_green(run, exchanged(o3.SphericalHarmonics, "forward", make), "directions")


# --- second derivatives


def silu_as(formula: Callable[[torch.Tensor], torch.Tensor]) -> Fault:
    """Every normalised silu by another formula."""
    from e3nn.math import normalize2mom

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        return lambda self, x: formula(x) * self.cst if self.f is torch.nn.functional.silu else original(self, x)

    return exchanged(normalize2mom, "forward", make)


@pytest.mark.parametrize("fmt", ["float64", *NARROW])
def test_silu_by_exponential(run: Session, clean: Any, fmt: str) -> None:
    fault = PATCHES["silu_by_exponential"](run)
    assert_red(run, clean, fault, "second-derivatives", (fmt, "finite"), "conv_tp_weights: second derivative by", f"not finite in {fmt}")


@pytest.mark.parametrize("fmt", ["float64", *NARROW])
def test_sigmoid_by_two_exponentials(run: Session, clean: Any, fmt: str) -> None:
    """The value itself, infinity over infinity, at large positive arguments."""
    fault = silu_as(lambda x: x * torch.exp(x) / (1 + torch.exp(x)))
    assert_red(run, clean, fault, "second-derivatives", (fmt, "finite"), "conv_tp_weights: value (out) is not finite")


class _Frozen(torch.autograd.Function):
    """silu, whose derivative is right and is taken for a constant when it is differentiated."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x)
        return torch.nn.functional.silu(x)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> torch.Tensor:
        x = ctx.saved_tensors[0].detach()
        sigmoid = torch.sigmoid(x)
        return grad * sigmoid * (1 + x * (1 - sigmoid))


class _Once(_Frozen):
    """The same, marked as not to be differentiated again: where nothing else leads to an argument, autograd does not raise."""

    backward = staticmethod(torch.autograd.function.once_differentiable(_Frozen.backward))


def test_a_derivative_taken_for_a_constant(run: Session, clean: Any) -> None:
    assert_red(run, clean, silu_as(_Frozen.apply), "second-derivatives", ("float64", "numerical"), "its second derivative by", "instead of")


def test_a_derivative_that_cannot_be_differentiated(run: Session, clean: Any) -> None:
    assert_red(run, clean, silu_as(_Once.apply), "second-derivatives", ("float64", "numerical"), "its second derivative by", "is 0 instead of")


def test_a_gradient_of_the_weight_alone(run: Session, clean: Any) -> None:
    fault = PATCHES["one_instruction_gradient"](run, instruction=0, factor=1.001, dtype="float64")
    assert_red(run, clean, fault, "second-derivatives", ("float64", "numerical"), "conv_tp: its second derivative by", "weight")


def test_a_second_derivative_that_changes_with_calls(run: Session, clean: Any) -> None:
    calls = [0]

    class Late(_Frozen):
        @staticmethod
        def backward(ctx: Any, grad: torch.Tensor) -> torch.Tensor:
            calls[0] += grad.requires_grad or torch.is_grad_enabled()
            x = ctx.saved_tensors[0]
            x = x.detach() if calls[0] % 8 == 1 else x
            sigmoid = torch.sigmoid(x)
            return grad * sigmoid * (1 + x * (1 - sigmoid))

    assert_red(run, clean, silu_as(Late.apply), "second-derivatives", ("float64", "calls"), "its second derivative in call", "is not that of call 4")


@pytest.mark.parametrize("formula", [lambda x: x * torch.sigmoid(x), lambda x: x * torch.sigmoid(x.clamp(-60.0, 60.0))], ids=["sigmoid", "clamped"])
def test_silu_written_otherwise_is_finite(run: Session, formula: Any) -> None:
    with silu_as(formula):
        found = judged(run, "second-derivatives")
    assert {f.format for (_, variant), f in found.items() if variant == "finite" and f.verdict == "pass"} == {"float64", *NARROW}


def test_silu_by_the_sigmoid_is_green(run: Session) -> None:
    assert_green(run, silu_as(lambda x: x * torch.sigmoid(x)), "second-derivatives")


def test_peaks_leave_out_what_exponentials_made() -> None:
    x = torch.tensor([3.0, 50.0], dtype=torch.float64, requires_grad=True)
    with Peak() as mode:
        y = (x * x).sum() + (torch.exp(x) * 2.0 + 1.0).sum()
        torch.autograd.grad(y, x)
    assert mode.peak == 2509.0
