"""Parts of the audits: counters, partial sums, the emulation, implementations, tables."""

from __future__ import annotations

import contextlib
import math
import warnings
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from mpcheck.adapters.backends.cueq import CueqModel
from mpcheck.adapters.backends.engagement import Implementation, computes_otherwise, counted_calls, implementations, not_replaced
from mpcheck.adapters.construction import DtypeChanges
from mpcheck.adapters.upstream import o3
from mpcheck.checks.audit import engagement
from mpcheck.checks.audit.counting import CountingMode, DtypeCounts
from mpcheck.checks.audit.dtypes import declared, dtype_table, state_faults
from mpcheck.checks.audit.observing import Observation, default_dtype_watched, forget, observe
from mpcheck.checks.audit.partial_sums import MIN_TERMS, ReductionProbe, boundary, classify, growth, sweep
from mpcheck.checks.audit.rounding import SingleRounding, disagreement
from mpcheck.formats import FORMATS, WIDE
from mpcheck.judge.capabilities import asked
from mpcheck.records.detail import Types, TypeShare
from mpcheck.records.record import Record
from mpcheck.sessions.run import Session

CPU = torch.device("cpu")
BF16 = FORMATS["bfloat16"]


def watched(dtype: torch.dtype, *allowed: torch.dtype) -> tuple[DtypeCounts, CountingMode]:
    counts = DtypeCounts(frozenset({dtype, *allowed}))
    return counts, CountingMode(counts)


def test_operations_casts_and_promotions_are_counted() -> None:
    counts, mode = watched(torch.bfloat16)
    a, b = torch.ones(4, 8, dtype=torch.bfloat16), torch.ones(8, 3, dtype=torch.bfloat16)
    with mode:
        c = a @ b
        (c * torch.ones(3)).view(12)
        c + torch.tensor(1.0, dtype=torch.float64)  # a single number sets no type
        c.double()
    assert counts.operations == {torch.bfloat16: 2, torch.float32: 1}
    assert counts.multiply_adds == {torch.bfloat16: 4 * 8 * 3 + 12, torch.float32: 12}
    assert counts.products == {torch.bfloat16: 1, torch.float32: 0}
    assert counts.promotions == {("mul", ("bfloat16", "float32")): 1}
    assert counts.casts == {(torch.bfloat16, torch.float64): 1}
    assert counts.unexpected == {("mul", torch.float32): 1, ("_to_copy", torch.float64): 1}


def test_empty_tensors_and_integers_do_not_count() -> None:
    counts, mode = watched(torch.float32)
    with mode:
        torch.empty(0, dtype=torch.float64) * 2
        torch.arange(3) + 1
    assert not counts.operations and not counts.unexpected


def test_integers_that_become_the_default_type_do() -> None:
    counts, mode = watched(torch.float64)
    with mode:
        1.5 * torch.arange(3) * torch.ones(3, dtype=torch.float64)
    assert counts.unexpected == {("mul", torch.float32): 2} and counts.operations == {torch.float32: 1, torch.float64: 1}


def test_the_boundary_lies_between_both_predictions() -> None:
    assert boundary(BF16) == math.sqrt(2.0**-8 * WIDE)
    assert boundary(FORMATS["tf32"]) == math.sqrt(2.0**-11 * WIDE)
    assert boundary(FORMATS["float32"]) == math.sqrt(WIDE * 2.0**-53)
    assert classify(WIDE, BF16) == "wide" and classify(2.0**-10, BF16) == "native" and classify(math.nan, BF16) == "native"


def sequential(x: torch.Tensor) -> torch.Tensor:
    total = torch.zeros(1, x.shape[1], dtype=x.dtype)
    for row in x.split(1):
        total = total + row
    return total


@pytest.mark.parametrize(("dtype", "stuck"), [(torch.bfloat16, 512), (torch.float16, 4096)])
def test_a_sequential_sum_grows_and_gets_stuck(dtype: torch.dtype, stuck: int) -> None:
    found = sweep(sequential, dtype, CPU)
    assert found.stuck == stuck and found.slope > 0.5
    assert classify(found.roundoff, FORMATS["bfloat16" if dtype == torch.bfloat16 else "float16"]) == "native"


def test_a_pairwise_sum_in_the_storage_type_is_native_too() -> None:
    def pairwise(x: torch.Tensor) -> torch.Tensor:
        while len(x) > 1:
            x = x[0::2] + x[1::2]
        return x

    found = sweep(pairwise, torch.bfloat16, CPU)
    assert found.stuck is None  # powers of two: every partial sum of ones is exact
    assert classify(found.roundoff, BF16) == "native"


def test_a_sum_in_float32_is_wide_and_flat() -> None:
    found = sweep(lambda x: x.float().sum(0, keepdim=True).to(x.dtype), torch.bfloat16, CPU)
    assert found.stuck is None and abs(found.slope) < 0.05 and classify(found.roundoff, BF16) == "wide"


def test_nan_is_native() -> None:
    assert math.isnan(sweep(lambda x: x.sum(0, keepdim=True) * math.nan, torch.bfloat16, CPU).roundoff)


@pytest.mark.parametrize("name", "mm addmm bmm baddbmm mv sum mean scatter_add_ index_add index_put".split())
def test_growth_of_torch_operations(name: str) -> None:
    found = growth(name, torch.bfloat16, CPU)
    assert found is not None
    assert classify(found.roundoff, BF16) == ("native" if name == "index_put" else "wide")


def test_growth_of_an_unknown_operation() -> None:
    assert growth("sin", torch.bfloat16, CPU) is None


def test_the_probe_takes_in_place_sums_as_they_were() -> None:
    probe = ReductionProbe(BF16)
    counts = DtypeCounts(frozenset({torch.bfloat16}))
    source = torch.rand(64, 5, generator=torch.Generator().manual_seed(1)).bfloat16()
    target = torch.full((2, 5), 0.25, dtype=torch.bfloat16)
    with CountingMode(counts, probe):
        target.index_add_(0, torch.arange(64) % 2, source)
        torch.zeros(2, 5, dtype=torch.bfloat16).index_put_((torch.arange(64) % 2,), source, accumulate=True)
        source[:2].sum(0)  # fewer terms than say anything
    (added, put) = (probe.found["index_add_", torch.bfloat16], probe.found["index_put_", torch.bfloat16])
    assert added.component == "scatter" and classify(added.roundoff, BF16) == "wide" and added.terms == 32 > MIN_TERMS
    assert put.component == "gather" and classify(put.roundoff, BF16) == "native"
    assert ("sum", torch.bfloat16) not in probe.found


def test_the_emulation_is_bfloat16_to_the_bit() -> None:
    generator = torch.Generator().manual_seed(2)
    x, w = (torch.randn(s, generator=generator, dtype=torch.float64).bfloat16() for s in ((64, 32), (32, 16)))

    def code(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        y = torch.nn.functional.silu(x @ (w / 3)) * 1.7
        y += torch.ones(16, dtype=x.dtype) / 7
        return y.reshape(8, -1).sum(0)

    with SingleRounding(torch.bfloat16, None):
        emulated = code(x.double(), w.double())
    assert torch.equal(emulated, code(x, w).double())


def test_the_emulation_rounds_operands_for_tf32(session: Session) -> None:
    reference, tf32 = session.library("builtin:water").get("interactions.0.linear"), FORMATS["tf32"]
    own = session.reference_backend
    assert disagreement(own, reference, tf32).ratio < 0.05
    assert disagreement(own, reference, FORMATS["float32"]).ratio > 0.5  # native sums: one rounding is not what it does


class _Backend(CueqModel):
    """A stand-in for a model on another device."""

    def __init__(self, module: torch.nn.Module, device: str) -> None:
        super().__init__("cueq", module, module, "ir_mul", torch.device(device))
        self._module = module

    def module(self, block: Any) -> torch.nn.Module:
        return self._module


class SegmentedPolynomial(torch.nn.Module):
    """Stands in for cuEquivariance's: the method that it could build, and what computes."""

    def __init__(self, method: str) -> None:
        super().__init__()
        self.method = method
        self.m = torch.nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.m(x)
        return result


class ChannelWiseTensorProduct(torch.nn.Module):
    """Stands in for cuEquivariance's: what was asked for, and the polynomial."""

    def __init__(self, asked: str, built: str) -> None:
        super().__init__()
        self.method = asked
        self.f = SegmentedPolynomial(built)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.f(x)
        return result


SegmentedPolynomial.__module__ = ChannelWiseTensorProduct.__module__ = "cuequivariance_torch.fake"
BLOCK = SimpleNamespace(name="interactions.0.conv_tp", class_name="TensorProduct", kind="leaf")


def judged(module: torch.nn.Module, device: str, required: tuple[str, ...] = (), text: str = "") -> tuple[str, str]:
    with counted_calls(module) as calls:
        module(torch.ones(2))
    seen = Observation(DtypeCounts(frozenset()), ReductionProbe(BF16), calls, warnings=[text] if text else [])
    verdict, reason, missing = engagement.judge(_Backend(module, device), BLOCK, BF16, seen, same=False)  # type: ignore[arg-type]
    found = Record(check="engagement", subject=BLOCK.name, backend="cueq", verdict=verdict, reason=reason, lacking=missing)
    told = asked(SimpleNamespace(required=required, allow_degraded=()), found, BLOCK.name)
    return told.verdict, told.reason


def test_a_fallback_on_cuda_is_degraded() -> None:
    assert judged(ChannelWiseTensorProduct("uniform_1d", "uniform_1d"), "cuda") == ("pass", "")
    verdict, reason = judged(ChannelWiseTensorProduct("uniform_1d", "naive"), "cuda")
    assert verdict == "degraded" and "asked for uniform_1d, runs naive" in reason and BLOCK.name in reason
    verdict, reason = judged(ChannelWiseTensorProduct("uniform_1d", "naive"), "cuda", ("cueq-kernels",))
    assert verdict == "fail" and reason.startswith("required: ")
    assert judged(ChannelWiseTensorProduct("naive", "naive"), "cuda", ("cueq-kernels",)) == ("pass", "")  # what MACE asks for


def test_naive_on_a_cpu_says_so() -> None:
    module = ChannelWiseTensorProduct("uniform_1d", "naive")
    assert judged(module, "cpu") == ("pass", "on a CPU: naive (uniform_1d has no CPU kernel)")
    assert judged(module, "cpu", ("cueq-kernels",))[0] == "fail"


def test_a_warning_of_a_fallback_is_degraded() -> None:
    text = "Fused TP is not supported on CPU. Falling back to naive implementation."
    verdict, reason = judged(ChannelWiseTensorProduct("uniform_1d", "uniform_1d"), "cuda", text=text)
    assert verdict == "degraded" and text in reason
    assert judged(ChannelWiseTensorProduct("uniform_1d", "uniform_1d"), "cuda", text="something else")[0] == "pass"


def test_a_fused_convolution_is_told_apart() -> None:
    module = SegmentedPolynomial("uniform_1d")
    module.original_forward = module.forward  # type: ignore[assignment]  # as upstream's wrapper leaves it
    (found,) = implementations(module)
    assert found.fused and found.asked == found.method == "uniform_1d"
    assert not implementations(ChannelWiseTensorProduct("uniform_1d", "uniform_1d"))[0].fused


def test_upstream_classes_left_in_a_twin() -> None:
    module = torch.nn.Sequential(ChannelWiseTensorProduct("naive", "naive"), o3.Linear("2x0e", "2x0e"))
    assert [i.path for i in not_replaced(module)] == ["1"]
    assert Implementation(".", "e3nn.o3.Linear", "e3nn").degraded == ""


def test_what_upstream_keeps_on_purpose_is_not_degraded() -> None:
    """Layers with biases, which cuEquivariance's have not, and those that upstream's sources never give its configuration."""
    assert not_replaced(o3.Linear("2x0e", "2x0e", biases=True)) == []
    readout = torch.nn.Module()
    readout.__class__ = type("NonLinearBiasReadoutBlock", (torch.nn.Module,), {})
    readout.linear_1, readout.linear_2 = o3.Linear("2x1o", "2x1o"), o3.Linear("2x1o", "2x1o")
    assert [i.path for i in not_replaced(readout)] == ["linear_1"], "the wrapped one is not among them"
    assert [i.path for i in not_replaced(torch.nn.Sequential(readout))] == ["0.linear_1"]


def test_equal_bits_mean_something_only_where_the_arithmetic_differs() -> None:
    block: Any = BLOCK
    linear: Any = SimpleNamespace(class_name="Linear")
    assert computes_otherwise(block, BF16) and not computes_otherwise(block, FORMATS["float32"]) and not computes_otherwise(linear, BF16)


def test_kernel_names_come_from_device_events() -> None:
    seen = [("aten::mm", "DeviceType.CPU"), ("gemm", "DeviceType.CUDA"), ("gemm", "DeviceType.CUDA"), ("Memcpy", "DeviceType.CUDA")]
    assert engagement.kernel_names(SimpleNamespace(name=n, device_type=d) for n, d in seen) == ["gemm"]


def test_leaked_dtypes_are_put_back_and_named() -> None:
    found: list[torch.dtype] = []
    with default_dtype_watched(found.append), DtypeChanges() as changes:
        torch.set_default_dtype(torch.float64)
    assert found == [torch.float64] and torch.get_default_dtype() == torch.float32
    assert changes.last() == f"test_leaked_dtypes_are_put_back_and_named of {__name__}" and torch.set_default_dtype.__name__ == "set_default_dtype"


def test_pinned_constants_must_have_the_math_type(session: Session) -> None:
    backend: Any = session.backend("cueq")
    block = session.library("builtin:water").block("interactions.0.conv_tp")
    assert declared(backend, block, BF16) == {torch.bfloat16, torch.float32}
    with backend.prepared(block, BF16):
        assert state_faults(backend, block, BF16) == []
        faults = state_faults(backend, block, FORMATS["float64"])
    assert faults and all(f.startswith("buffer ") and f.endswith("is float32, not float64") for f in faults)


def test_a_run_is_watched_once(session: Session) -> None:
    reference, backend = session.library("builtin:water").get("scale_shift"), session.reference_backend
    allowed = frozenset({torch.bfloat16})
    forget(session)
    first = observe(session, "builtin:water", backend, reference, BF16, allowed)
    assert observe(session, "builtin:water", backend, reference, BF16, allowed) is first
    forget(session)
    assert observe(session, "builtin:water", backend, reference, BF16, allowed) is not first


def test_warnings_of_a_run_are_kept_from_the_user(session: Session) -> None:
    backend, library = session.reference_backend, session.library("builtin:water")
    module = backend.model.get_submodule("scale_shift")
    handle = module.register_forward_hook(lambda *_: warnings.warn("falling back\nsecond line", UserWarning, stacklevel=1))
    forget(session)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            seen = observe(session, "builtin:water", backend, library.get("scale_shift"), BF16, frozenset({torch.bfloat16}))
    finally:
        handle.remove()
        forget(session)
    assert seen.warnings == ["falling back"] and seen.error is None


def test_the_table_of_types() -> None:
    shares = [TypeShare(dtype="bfloat16", operations=75.0, multiply_adds=99.5), TypeShare(dtype="float32", operations=25.0)]
    seen = Types(operations=4, multiply_adds=9, casts=2, promotions=0, shares=shares)
    single = Types(operations=1, multiply_adds=0, casts=0, promotions=0, shares=[TypeShare(dtype="float32", operations=100.0)])
    findings = [
        Record(check="dtypes", subject="process", verdict="pass"),
        Record(check="dtypes", subject="linear", backend="cueq", format="bfloat16", verdict="pass", detail=seen),
        Record(check="dtypes", subject="sum", backend="e3nn", format="float32", verdict="pass", detail=single),
    ]
    head, rule, *rows = dtype_table(findings)
    assert head == "| block | backend | format | bfloat16 | float32 | casts |" and rule.count("|") == head.count("|")
    assert rows == ["| linear | cueq | bfloat16 | 75 % / 99.5 % | 25 % / 0 % | 2 |", "| sum | e3nn | float32 |  | 100 % / 0 % | 0 |"]


def test_the_watch_changes_no_result() -> None:
    x = torch.randn(16, 16, generator=torch.Generator().manual_seed(3)).bfloat16()
    with CountingMode(DtypeCounts(frozenset()), ReductionProbe(BF16)), contextlib.nullcontext():
        seen = (x @ x).sum(0)
    assert torch.equal(seen, (x @ x).sum(0))
