"""Maps of real models."""

from __future__ import annotations

import gzip
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch._C._autograd import DeviceType

from mpcheck._errors import InputError
from mpcheck.adapters.facts.ranges import PREFIX, Ranges
from mpcheck.adapters.upstream import mace
from mpcheck.bench.keys import BenchKey
from mpcheck.bench.profile.attribution import UNATTRIBUTED, TimeCost, attribute
from mpcheck.bench.profile.map import ProfileMap, rows_of
from mpcheck.bench.profile.profiler import computes, convert, profile_model
from mpcheck.bench.work.workloads import Workloads
from mpcheck.sessions.run import Options, Session

SYSTEM = "builtin:water:3"


@pytest.mark.parametrize(("name", "expected"), [("aten::mm", True), ("aten::copy_", True), ("aten::view", False), ("aten::empty", False),
                                                ("aten::einsum", False), ("aten::_to_copy", False), ("no such", False)])  # fmt: skip
def test_operations_that_compute(name: str, expected: bool) -> None:
    assert computes(name) is expected


@dataclass
class Kineto:
    """One of the profiler's events, as its C++ class shows it."""

    label: str
    start: int
    length: int
    number: int
    linked: int = 0
    thread: int = 1
    device: Any = DeviceType.CPU

    def __getattr__(self, name: str) -> Any:
        values = {
            "name": self.label, "start_ns": self.start, "duration_ns": self.length, "correlation_id": self.number, "sequence_nr": 4,
            "linked_correlation_id": self.linked, "start_thread_id": self.thread, "fwd_thread_id": 1, "device_type": self.device, "is_async": False,
        }  # fmt: skip
        if name not in values:
            raise AttributeError(name)
        return lambda: values[name]


def test_cuda_events_are_hung_on_what_launched_them() -> None:
    events = [
        Kineto(PREFIX + "model", 0, 9000, 1), Kineto("aten::mm", 1000, 500, 2), Kineto("cudaLaunchKernel", 1200, 100, 50, linked=2, thread=77),
        Kineto("sgemm", 4000, 3000, 50, linked=2, device=DeviceType.CUDA), Kineto("Memset", 7000, 250, 51, linked=2, device=DeviceType.CUDA),
        Kineto(PREFIX + "model", 4000, 3250, 1, linked=1, device=DeviceType.CUDA), Kineto("cudaDeviceSynchronize", 5000, 3900, 52),
        Kineto("[memory]", 10, 0, 3),
    ]  # fmt: skip
    found = {e.name: e for e in convert(events, "cuda")}
    assert (found["aten::mm"].device, found["aten::mm"].launches) == (3.25, 2)
    assert (found["model"].kind, found["model"].device, found["cudaDeviceSynchronize"].kind) == ("range", 0.0, "waiting")
    assert found["cudaLaunchKernel"].thread == 1  # the runtime numbers threads in its own way
    assert "[memory]" not in found
    (row,) = [r for r in rows_of(attribute(convert(events, "cuda")), "cuda") if r.block == "model"]
    assert (row.forward.device, row.forward.launches, row.forward.waiting, row.bound) == (
        pytest.approx(3.25e-6),
        2,
        pytest.approx(3.9e-6),
        "CPU-bound",
    )


@pytest.fixture(scope="module")
def workloads() -> Workloads:
    return Workloads(Session(Options(systems=(SYSTEM,), backends=("e3nn",), formats=("float32",))))


def key(work: Any, subject: str = "model") -> BenchKey:
    return BenchKey(SYSTEM, 1, subject, "e3nn", "float32", work)


@pytest.fixture(scope="module")
def forces(workloads: Workloads, tmp_path_factory: pytest.TempPathFactory) -> tuple[ProfileMap, Path]:
    trace = tmp_path_factory.mktemp("trace") / "trace.json.gz"
    return profile_model(workloads, key("energy+forces"), calls=4, trace=trace), trace


def test_the_rows_of_a_real_model_add_up(forces: tuple[ProfileMap, Path]) -> None:
    found = forces[0]
    assert sum(r.forward.host + r.backward.host for r in found.rows) == pytest.approx(found.end_to_end, rel=0.01)
    assert found.rows[0].total.host == pytest.approx(found.end_to_end, rel=0.01)
    assert (found.rows[0].block, found.rows[-1].block) == ("model", UNATTRIBUTED)
    assert (found.calls, found.of, len(found.samples)) == (1, 4, 4)


def test_every_block_is_in_the_map(forces: tuple[ProfileMap, Path], workloads: Workloads) -> None:
    rows = {r.block: r for r in forces[0].rows}
    assert {b.name for b in workloads.blocks(SYSTEM, 1)} <= set(rows)
    assert rows["interactions.1.conv_tp"].parent == "interactions.1"
    assert rows["products.0.symmetric_contractions"].dtypes == ("float32",)
    inner = [r for r in rows.values() if r.parent == "interactions.1"]
    interaction = rows["interactions.1"]
    assert interaction.total.host == pytest.approx(interaction.forward.host + interaction.backward.host + sum(r.total.host for r in inner))


def test_all_backward_work_finds_its_block(forces: tuple[ProfileMap, Path]) -> None:
    rows = {r.block: r for r in forces[0].rows}
    assert rows[UNATTRIBUTED].backward.launches == 0
    for name in ("interactions.1.conv_tp", "interactions.1.conv_tp_weights", "products.0.symmetric_contractions", "readouts.0.linear"):
        assert rows[name].backward.launches > 0, name
    assert rows["atomic_energies_fn"].backward.launches == 0  # the positions do not enter it


def test_the_trace_names_the_blocks(forces: tuple[ProfileMap, Path]) -> None:
    events = json.loads(gzip.decompress(forces[1].read_bytes()))["traceEvents"]
    names = {e.get("name") for e in events}
    assert {PREFIX + "model", PREFIX + "interactions.1.conv_tp", PREFIX + "energy_sum@2"} <= names


def test_energy_alone_has_no_backward_pass(workloads: Workloads) -> None:
    found = profile_model(workloads, key("energy"), calls=1)
    assert all(r.backward == TimeCost() for r in found.rows)


class Slow(torch.autograd.Function):
    """Takes its time, forward or backward."""

    @staticmethod
    def forward(ctx: Any, value: torch.Tensor, before: float, after: float) -> torch.Tensor:
        ctx.after = after
        spin(before)
        return value.clone()

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        spin(ctx.after)
        return gradient, None, None


def spin(seconds: float) -> None:
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        pass


@pytest.mark.parametrize("phase", ["forward", "backward"])
@pytest.mark.parametrize("name", ["interactions.0.conv_tp_weights", "products.1.linear"])
def test_a_slow_block_is_charged(workloads: Workloads, name: str, phase: str) -> None:
    times = (0.3, 0.0) if phase == "forward" else (0.0, 0.3)
    module = workloads.session.reference_backend.model.get_submodule(name)
    hook = module.register_forward_hook(lambda m, args, output: Slow.apply(output, *times))
    try:
        found = profile_model(workloads, key("energy+forces"), calls=1)
    finally:
        hook.remove()
    worst = max(found.rows, key=lambda r: r.share)
    assert worst.block == name
    assert getattr(worst, phase).host > 0.5 * found.end_to_end
    assert worst.bound == "overhead-bound"  # no operation computes meanwhile


def test_ranges_leave_nothing_behind(workloads: Workloads) -> None:
    model = workloads.session.reference_backend.model
    functions = (mace.modules.blocks.scatter_sum, mace.modules.models.scatter_sum, mace.modules.utils.get_edge_vectors_and_lengths)
    with pytest.raises(KeyError), Ranges(model).marking():
        model({})
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    assert functions == (mace.modules.blocks.scatter_sum, mace.modules.models.scatter_sum, mace.modules.utils.get_edge_vectors_and_lengths)


@pytest.mark.parametrize(("made", "calls", "text"), [(key("energy"), 0, "0 calls"), (key("forward", "readouts.0.linear"), 1, "only the whole model")])
def test_bad_requests_are_refused(workloads: Workloads, made: BenchKey, calls: int, text: str) -> None:
    with pytest.raises(InputError, match=text):
        profile_model(workloads, made, calls=calls)
