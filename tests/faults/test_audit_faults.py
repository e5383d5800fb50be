"""Faults planted into upstream turn the audit red and name the block; without them the same work is green."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from mpcheck._unsupported import Unsupported
from mpcheck.adapters.backends import base as e3nn_backend
from mpcheck.adapters.backends import cueq as cueq_backend
from mpcheck.adapters.upstream import mace
from mpcheck.checks.audit import cells, engagement
from mpcheck.checks.audit.observing import forget
from mpcheck.judge.context import Key
from mpcheck.records.detail import Types
from mpcheck.records.record import Record
from mpcheck.sessions.run import Session
from tests import inspections
from tests.faults import planted

SYSTEM = "builtin:water"
Audit = Callable[..., Record]
CHECKS = ("engagement", "dtypes", "accumulation")


@pytest.fixture
def audit(session: Session) -> Iterator[Audit]:
    """``audit(check, block, backend, format)``: one cell, watched anew."""

    def call(check: str, block: str, backend: str, fmt: str, context: Any = session) -> Record:
        forget(context)
        (found,) = inspections.run("audit", context, Key(check, block, backend, fmt, SYSTEM))
        return found

    yield call
    forget(session)


class Requiring:
    """A session whose user requires more."""

    def __init__(self, session: Session, *required: str) -> None:
        self._session = session
        self.required = required

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)


def chunks(a: torch.Tensor, b: torch.Tensor, pieces: int) -> torch.Tensor:
    """``a @ b`` with its partial sums rounded to the storage type."""
    total = torch.zeros((), dtype=a.dtype)
    for left, right in zip(a.chunk(pieces, -1), b.chunk(pieces, -2), strict=True):
        total = total + left @ right
    return total


class ChunkedProducts(TorchDispatchMode):
    """A matrix-product kernel that keeps four partial sums in bfloat16."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten.mm.default and args[0].dtype == torch.bfloat16 and args[0].shape[-1] >= 16:
            return chunks(args[0], args[1], 4)
        return func(*args, **(kwargs or {}))


@contextlib.contextmanager
def chunked_forward(layer: torch.nn.Module, pieces: int) -> Iterator[None]:
    """A layer of the radial network whose own code adds up pieces of its product in bfloat16."""
    original = layer.forward

    def forward(x: torch.Tensor) -> torch.Tensor:
        if x.dtype != torch.bfloat16:
            return original(x)
        weight = layer.weight / (layer.h_in * layer.var_in) ** 0.5
        y = chunks(x, weight, pieces)
        return layer.act(y) * layer.var_out**0.5 if layer.act is not None else y * (layer.var_out**0.5)

    with planted.replaced_attribute(layer, "forward", forward):
        yield


@contextlib.contextmanager
def submodule(root: torch.nn.Module, path: str, other: torch.nn.Module) -> Iterator[None]:
    """Another module in the place of one."""
    parent, _, name = path.rpartition(".")
    with planted.replaced_attribute(root.get_submodule(parent), name, other):
        yield


@contextlib.contextmanager
def stored_as(dtype: torch.dtype, when: torch.dtype, parameters: bool) -> Iterator[None]:
    """Parameters, or buffers, that do not follow ``model.to(when)`` and stay in a type of their own."""
    original = e3nn_backend.to_dtype

    def stubborn(target: torch.dtype) -> planted.Function:
        once = original(target)
        if target != when:
            return once
        return lambda t: t.to(dtype) if t.is_floating_point() and isinstance(t, torch.nn.Parameter) == parameters else once(t)

    with planted.replaced_attribute(e3nn_backend, "to_dtype", stubborn):
        yield


def test_a_block_that_is_silently_e3nn(session: Session, audit: Audit) -> None:
    block, twin = "interactions.0.linear_up", session.backend("cueq")
    assert audit("engagement", block, "cueq", "bfloat16").verdict == "pass"
    with submodule(twin.model, block, session.reference_backend.model.get_submodule(block)):
        found = audit("engagement", block, "cueq", "bfloat16")
        required = audit("engagement", block, "cueq", "bfloat16", Requiring(session, "cueq-kernels"))
        whole = audit("engagement", "interactions.0", "cueq", "bfloat16")
    assert found.verdict == "degraded" and block in found.reason and "e3nn.o3.Linear, not replaced" in found.reason
    assert required.verdict == "fail" and required.reason.startswith("required: ")
    assert whole.verdict == "degraded" and "linear_up is e3nn.o3.Linear" in whole.reason


def test_a_block_that_goes_round_its_kernel(session: Session, audit: Audit) -> None:
    block, twin = "interactions.1.conv_tp", session.backend("cueq")
    module, own = twin.model.get_submodule(block), session.reference_backend
    described = session.library(SYSTEM).block(block)

    def detour(x: torch.Tensor, y: torch.Tensor, weight: torch.Tensor, *_: Any) -> torch.Tensor:
        arguments = {"x": twin._back(x, _as_output(described, "x"), "out"), "y": y, "weight": weight}
        with own.prepared(described, _format("bfloat16")):
            return twin._there(own.call(described, arguments), described.output_slot("out"))

    assert audit("engagement", block, "cueq", "bfloat16").verdict == "pass"
    with planted.replaced_attribute(module, "forward", detour):
        found = audit("engagement", block, "cueq", "bfloat16")
    assert found.verdict == "degraded" and f"{block}: cuequivariance_torch.ChannelWiseTensorProduct at . was never called" in found.reason
    assert found.figures["same bits as e3nn"] is True


@dataclass(frozen=True)
class _as_output:
    """A block whose output has the slot of one of its inputs: to convert that input back."""

    block: Any
    name: str

    def output_slot(self, _: str) -> Any:
        return self.block.input_slot(self.name)


def _format(name: str) -> Any:
    from mpcheck.formats import get_format

    return get_format(name)


def test_results_equal_to_the_last_bit(session: Session, audit: Audit, monkeypatch: pytest.MonkeyPatch) -> None:
    block = "interactions.1.conv_tp"
    clean = audit("engagement", block, "cueq", "bfloat16")
    assert clean.figures["same bits as e3nn"] is False
    real = engagement.observe
    for module in (engagement, cells):
        monkeypatch.setattr(module, "observe", lambda *a: _equal(real(*a)))
    watched = engagement.watch  # on other numbers, too
    monkeypatch.setattr(engagement, "watch", lambda *a, **k: _equal(watched(*a, **k)))
    found = audit("engagement", block, "cueq", "bfloat16")
    assert found.verdict == "degraded" and found.reason == f"{block}: error against e3nn exactly 0: same bits in every output"


def _equal(seen: Any) -> Any:
    seen.digests = {"out": "0" * 16}
    return seen


@pytest.mark.parametrize(
    ("block", "name"), [("radial_embedding.bessel_fn", "bessel_weights"), ("atomic_energies_fn", "atomic_energies"), ("scale_shift", "scale")]
)
def test_a_float64_buffer_in_a_float32_model(audit: Audit, block: str, name: str) -> None:
    assert audit("dtypes", block, "e3nn", "float32").verdict == "pass"
    with stored_as(torch.float64, torch.float32, parameters=False):
        found = audit("dtypes", block, "e3nn", "float32")
    assert found.verdict == "fail" and found.reason.startswith(f"{block}: buffer {name} is float64, not float32"), found.reason


def test_float64_operations_are_named(audit: Audit) -> None:
    with stored_as(torch.float64, torch.float32, parameters=False):
        found = audit("dtypes", "radial_embedding.bessel_fn", "e3nn", "float32")
    assert "float64 besides float32 in " in found.reason and "mul" in found.reason
    detail = found.detail
    assert isinstance(detail, Types) and detail.promotions > 0
    assert any(share.dtype == "float64" and (share.operations or 0.0) > 0 for share in detail.shares)


def test_a_float32_weight_in_a_bfloat16_run(audit: Audit) -> None:
    block = "radial_embedding.bessel_fn"
    assert audit("dtypes", block, "e3nn", "bfloat16").verdict == "pass"
    with stored_as(torch.float32, torch.bfloat16, parameters=False):
        found = audit("dtypes", block, "e3nn", "bfloat16")
    assert found.verdict == "fail" and "float32, not bfloat16" in found.reason and "float32 besides bfloat16 in" in found.reason
    with stored_as(torch.float32, torch.bfloat16, parameters=True):  # a matrix product refuses mixed types, which is red as well
        refused = audit("dtypes", "interactions.0.linear_up", "e3nn", "bfloat16")
    assert refused.verdict == "fail" and "parameter weight is float32, not bfloat16" in refused.reason


def test_an_inner_type_that_stays_float64(audit: Audit) -> None:
    block = "interactions.0.conv_tp"
    with planted.replaced_attribute(cueq_backend, "inner_arithmetic", lambda *_: contextlib.nullcontext()):
        found = audit("dtypes", block, "cueq", "bfloat16")
    assert found.verdict == "fail" and f"{block}: math_dtype is float64, not float32" in found.reason
    assert audit("dtypes", block, "cueq", "bfloat16").verdict == "pass"


def test_a_block_that_leaves_another_default_dtype(session: Session, audit: Audit) -> None:
    block = "scale_shift"
    module = session.reference_backend.model.get_submodule(block)
    original = module.forward

    def forward(*args: Any, **kwargs: Any) -> torch.Tensor:
        torch.set_default_dtype(torch.float64)
        return original(*args, **kwargs)

    with planted.replaced_attribute(module, "forward", forward):
        found = audit("dtypes", block, "e3nn", "float32")
    assert found.verdict == "fail" and found.reason == f"{block}: left the default dtype at float64"
    assert torch.get_default_dtype() == torch.float32


def test_a_constructor_that_leaks_the_default_dtype(session: Session) -> None:
    owner = mace.modules.blocks.LinearNodeEmbeddingBlock
    original = owner.__init__

    def leaking(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        torch.set_default_dtype(torch.float64)

    (clean,) = inspections.run("audit", session, Key("dtypes", "construction", "e3nn"))
    with planted.replaced_attribute(owner, "__init__", leaking):
        (found,) = inspections.run("audit", session, Key("dtypes", "construction", "e3nn"))
    assert clean.verdict == "pass", clean.reason
    assert found.verdict == "fail" and "float64 instead of float32: set by LinearNodeEmbeddingBlock.leaking" in found.reason
    assert torch.get_default_dtype() == torch.float32


def test_upstreams_converter_is_caught_leaking(session: Session) -> None:
    (found,) = inspections.run("audit", session, Key("dtypes", "construction", "cueq"))
    assert found.verdict in ("fail", "known-fault")  # the latter where the file of known faults has it
    assert "float64 instead of float32: set by run of mace.cli.convert_e3nn_cueq" in found.reason
    assert torch.get_default_dtype() == torch.float32


@pytest.mark.parametrize(("through", "where"), [(torch.float64, "besides"), (torch.float16, "below")])
def test_a_detour_through_another_type(session: Session, audit: Audit, through: torch.dtype, where: str) -> None:
    block = "readouts.1.non_linearity"
    module = session.reference_backend.model.get_submodule(block)
    original = module.forward
    with planted.replaced_attribute(module, "forward", lambda features: original(features.to(through)).to(features.dtype)):
        found = audit("dtypes", block, "e3nn", "float32")
    name = str(through).removeprefix("torch.")
    assert found.verdict == "fail" and found.reason.startswith(f"{block}: {name} {where} float32 in "), found.reason
    assert isinstance(found.detail, Types) and found.detail.cast[f"float32 to {name}"] >= 1


def test_ambient_tf32_and_autocast(session: Session) -> None:
    key = Key("dtypes", "process")
    assert inspections.run("audit", session, key)[0].verdict == "pass"
    before = torch.backends.cuda.matmul.allow_tf32
    try:
        torch.backends.cuda.matmul.allow_tf32 = True
        assert "TF32 is on" in inspections.run("audit", session, key)[0].reason
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before
    with torch.autocast("cpu", torch.bfloat16):
        (found,) = inspections.run("audit", session, key)
    assert found.verdict == "fail" and found.reason == "autocast is on for cpu"


def test_a_kernel_that_accumulates_in_bfloat16(audit: Audit) -> None:
    block = "interactions.0.linear_up"
    clean = audit("accumulation", block, "e3nn", "bfloat16")
    assert clean.verdict == "pass" and clean.figures["accumulation"] == "wide"
    with ChunkedProducts():
        found = audit("accumulation", block, "e3nn", "bfloat16")
    assert found.verdict == "fail" and found.figures["accumulation"] == "native"
    assert found.reason.startswith(f"{block}: inner sums of mm over ") and "in bfloat16; bfloat16 declares them wide" in found.reason
    assert clean.ratio is not None and clean.ratio < 0.01 and found.ratio is not None and found.ratio > 10


@pytest.mark.parametrize("pieces", [2, 4, 8])
def test_code_that_adds_up_pieces_in_bfloat16(session: Session, audit: Audit, pieces: int) -> None:
    block = "interactions.0.conv_tp_weights"
    layer = session.reference_backend.model.get_submodule(f"{block}.layer2")
    clean = audit("accumulation", block, "e3nn", "bfloat16")
    with chunked_forward(layer, 1):  # the planted code without its fault
        same = audit("accumulation", block, "e3nn", "bfloat16")
    with chunked_forward(layer, pieces):
        found = audit("accumulation", block, "e3nn", "bfloat16")
    assert clean.verdict == same.verdict == "pass" and found.verdict == "fail", found.figures
    assert found.reason.startswith(f"{block}: out differs from sums that round once") and "the code adds up in bfloat16" in found.reason


@pytest.mark.parametrize("fmt", ["bfloat16", "float16"])
def test_a_scatter_that_accumulates_in_16_bits(audit: Audit, fmt: str) -> None:
    block = "interactions.0.scatter"
    clean = audit("accumulation", block, "e3nn", fmt)
    with planted.sequential_scatter(_format(fmt).storage):
        found = audit("accumulation", block, "e3nn", fmt)
    assert clean.verdict == "pass" and clean.figures["accumulation"] == "wide"
    assert found.verdict == "fail" and found.reason.startswith(f"{block}: scatter sums of scatter over 8192 crafted terms")
    # a sum of ones stops at 2**8 and 2**11: the next length that the sweep tries is wrong
    assert found.figures["ones wrong from the step itself"] == {"bfloat16": 512.0, "float16": 4096.0}[fmt]


def test_a_missing_backend_is_unsupported(session: Session) -> None:
    why = Unsupported("not-installed", "cuequivariance_torch is not installed", "cueq")
    lacking = SimpleNamespace(library=session.library, reference_backend=session.reference_backend, formats=session.formats, required=())
    lacking.backend, lacking.backend_names, lacking.allow_degraded = lambda name: why, ("cueq",), ()
    for check in CHECKS:
        (found,) = inspections.run("audit", lacking, Key(check, "interactions.0.linear", "cueq", "bfloat16", SYSTEM))  # type: ignore[arg-type]
        assert found.verdict == "unsupported" and (found.reason, found.lacking) == (why.text, "cueq")
    lacking.required = ("cueq",)
    (found,) = inspections.run("audit", lacking, Key("engagement", "interactions.0.linear", "cueq", "bfloat16", SYSTEM))  # type: ignore[arg-type]
    assert found.verdict == "fail"
