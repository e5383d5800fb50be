"""What runs in the place of what was asked for is told, and whether it is degraded."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch

from mpcheck._unsupported import Unsupported
from mpcheck.adapters.backends.cueq import CueqModel
from mpcheck.adapters.backends.engagement import Implementation, computes_otherwise, counted_calls, implementations, not_replaced
from mpcheck.adapters.upstream import o3
from mpcheck.checks.audit import engagement
from mpcheck.checks.audit.counting import DtypeCounts
from mpcheck.checks.audit.observing import Observation
from mpcheck.checks.audit.partial_sums import ReductionProbe
from mpcheck.formats import FORMATS
from mpcheck.judge.capabilities import asked
from mpcheck.records.record import Record
from mpcheck.sessions.run import Session

BF16 = FORMATS["bfloat16"]


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


def test_equal_bits_of_a_few_numbers_may_be_chance(session: Session) -> None:
    """On other numbers code of its own differs, and e3nn's own under another name does not."""
    reference = session.library(next(iter(session.systems))).get("interactions.0.conv_tp")
    own, cueq = session.reference_backend, session.backend("cueq")
    assert not isinstance(cueq, Unsupported)
    assert engagement.differ_on_other_numbers(cueq, own, reference, BF16)
    assert not engagement.differ_on_other_numbers(own, own, reference, BF16)
