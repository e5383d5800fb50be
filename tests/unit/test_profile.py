"""Profile maps: whose time it is, on made-up events and on the real model; the sweep, records, tables and pictures."""

from __future__ import annotations

import gzip
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch._C._autograd import DeviceType

from mpcheck._errors import InputError
from mpcheck.adapters.facts.ranges import PREFIX, Ranges
from mpcheck.adapters.upstream import mace
from mpcheck.bench.keys import BenchKey
from mpcheck.bench.launch.workloads import Workloads
from mpcheck.bench.profile.alternate import alternate, speedup
from mpcheck.bench.profile.attribution import UNATTRIBUTED, CallCost, Cost, Event, attribute, group_of
from mpcheck.bench.profile.map import ProfileMap, bound, fastest_calls, rows_of
from mpcheck.bench.profile.profiler import computes, convert, profile_model
from mpcheck.bench.profile.sweep import sweep
from mpcheck.records.document import read_records
from mpcheck.sessions.profile.pictures import draw_blocks
from mpcheck.sessions.profile.run import Plan, profile_session
from mpcheck.sessions.profile.tables import markdown, number, render
from mpcheck.sessions.run import Options, Session

SYSTEM = "builtin:water:3"


def block(name: str, start: float, end: float, thread: int = 0) -> Event:
    return Event(name, start, end, thread, "range")


def op(start: float, end: float, sequence: int = -1, kind: Any = "compute", thread: int = 0, device: float = 0.0) -> Event:
    return Event("aten::mm", start, end, thread, kind, sequence, 0, device, 1)


def node(sequence: int, start: float, end: float, thread: int = 0, name: str = "MmBackward0") -> Event:
    return Event(f"autograd::engine::evaluate_function: {name}", start, end, thread, "node", sequence, 0)


def own(call: CallCost, name: str, phase: Any = "forward") -> Cost:
    return call.own.get((name, phase), Cost())


FORWARD = [block("model", 0, 100), block("outer", 10, 50), block("inner", 20, 40), op(22, 32, 5), op(42, 47, 6), op(60, 64, 7)]


def test_a_block_s_own_time_is_without_the_blocks_inside() -> None:
    (call,) = attribute(FORWARD)
    assert (own(call, "inner").host, own(call, "inner").device) == (20, 10)
    assert (own(call, "outer").host, own(call, "outer").device) == (20, 5)
    assert (own(call, "model").host, own(call, "model").device) == (60, 4)
    assert call.parents == {"outer": "model", "inner": "outer"}


@pytest.mark.parametrize("thread", [0, 7], ids=["one-thread", "autograd-thread"])
def test_backward_nodes_go_to_the_block_that_made_them(thread: int) -> None:
    backward = [node(7, 70, 74, thread), node(6, 74, 80, thread), node(5, 82, 90, thread), op(83, 88, thread=thread), node(99, 90, 91, thread)]
    events = [block("model", 0, 100), *FORWARD[1:], *backward]
    (call,) = attribute(events[::-1])  # the order in which they come does not matter
    assert own(call, "model", "backward").host == 4 + 1  # the last number known is the model's own operation
    assert own(call, "outer", "backward").host == 6
    assert (own(call, "inner", "backward").host, own(call, "inner", "backward").device) == (8, 5)
    assert own(call, UNATTRIBUTED, "backward").host == 2  # the engine between two nodes
    assert sum(c.host for c in call.own.values()) == pytest.approx(call.duration)


def test_what_no_block_made_is_unattributed_and_not_lost() -> None:
    (call,) = attribute([block("model", 0, 10), node(3, 2, 5), op(3, 4)])
    assert (own(call, UNATTRIBUTED, "backward").host, own(call, UNATTRIBUTED, "backward").device) == (3, 1)


def test_a_scripted_graph_s_node_belongs_to_what_runs_next() -> None:
    scripted = "torch::jit::(anonymous namespace)::DifferentiableGraphBackward"
    events = [
        block("model", 0, 99),
        block("a", 1, 9),
        op(2, 3, 5),
        block("b", 10, 20),
        op(12, 14, 6),
        node(5, 30, 37, name=scripted),
        node(5, 40, 42),
    ]
    (call,) = attribute(events)
    assert (own(call, "b", "backward").host, own(call, "a", "backward").host) == (7, 2)


def test_kernels_count_where_they_were_launched_though_they_run_later() -> None:
    events = [block("model", 0, 100), block("a", 0, 10), op(1, 3, 1, "other", device=95.0), Event("cudaDeviceSynchronize", 20, 98, 0, "waiting")]
    calls = attribute(events)
    rows = {r.block: r for r in rows_of(calls, "cuda")}
    assert (rows["a"].forward.device, rows["a"].forward.host) == (pytest.approx(95e-6), pytest.approx(10e-6))
    assert rows["model"].forward.waiting == pytest.approx(78e-6)
    assert (rows["model"].bound, rows["a"].bound) == ("GPU-bound", "GPU-bound")


def test_calls_of_one_block_and_calls_of_the_model() -> None:
    one = [block("model", 0, 10), block("sum", 1, 2), block("sum@2", 3, 6)]
    later = [Event(e.name, e.start + 20, e.end + 20, 0, e.kind) for e in one]
    calls = attribute(one + later)
    rows = {r.block: r for r in rows_of(calls, "cpu", {"sum": {"float32"}})}
    assert [c.duration for c in calls] == [10, 10]
    assert (rows["sum"].forward.host, rows["sum@2"].forward.host, rows["sum"].calls) == (pytest.approx(1e-6), pytest.approx(3e-6), 1)
    assert rows["sum"].dtypes == ("float32",)


@st.composite
def calls_of_model(draw: st.DrawFn) -> list[Event]:
    """A call with events anywhere in it, on two threads, overlapping as they please."""
    times = st.integers(0, 1000)
    events = [block("model", 0, 1000)]
    for _ in range(draw(st.integers(0, 25))):
        start, end = sorted((draw(times), draw(times)))
        kind = draw(st.sampled_from(["range", "node", "compute", "waiting", "other"]))
        events.append(Event(draw(st.sampled_from("abc")), start, end, draw(st.integers(0, 1)), kind, draw(st.integers(-1, 9))))
    return events


@given(calls_of_model())
def test_rows_add_up_whatever_the_events(events: list[Event]) -> None:
    calls = attribute(events)
    rows = rows_of(calls, "cpu")
    assert sum(c.host for c in calls[0].own.values()) == pytest.approx(1000)
    assert sum(r.share for r in rows) == pytest.approx(1)
    assert sum(r.forward.host + r.backward.host for r in rows) == pytest.approx(1e-3)


def test_the_eighty_percent_rule() -> None:
    assert [bound("cuda", Cost(10, d)) for d in (7.9, 8.0)] == ["CPU-bound", "GPU-bound"]
    assert [bound("cpu", Cost(10, d)) for d in (7.9, 8.0)] == ["overhead-bound", "kernel-bound"]
    assert bound("cpu", Cost()) == "-"


def test_the_fastest_quarter_is_kept() -> None:
    assert [c.duration for c in fastest_calls([CallCost(d) for d in (5, 1, 4, 2, 3)])] == [1, 2]
    assert len(fastest_calls([CallCost(1)])) == 1


@pytest.mark.parametrize(
    ("name", "group"), [("interactions.1.conv_tp", "interactions.1"), ("edge_vectors", "embedding"), ("energy_sum@2", "energies"), ("x", "model")]
)
def test_groups(name: str, group: str) -> None:
    assert group_of(name) == group


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
    assert all(r.backward == Cost() for r in found.rows)


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


def test_backends_take_turns() -> None:
    order: list[str] = []
    found = alternate({n: lambda n=n: order.append(n) for n in "ab"}, seconds=0.0, warmup=1)  # type: ignore[misc]
    assert "".join(order) == "ab" + "ab" + "ba" + "ab" + "ba" + "ab"
    assert [len(v) for v in found.values()] == [5, 5]


def test_a_speed_up_has_an_interval() -> None:
    fast = [1.0 + 0.01 * (i % 7) for i in range(40)]
    found = speedup([3 * x for x in fast], fast)
    assert found.ratio == pytest.approx(3)
    assert found.low <= 3.0001
    assert found.high >= 2.9999
    noisy = speedup([3.0 + (i % 5) for i in range(20)], [1.0 + (i % 3) for i in range(20)])
    assert noisy.low < noisy.ratio < noisy.high
    with pytest.raises(ValueError, match="two or more"):
        speedup([1.0], [1.0])


def test_the_sweep_says_what_it_left_out() -> None:
    points = sweep(Options(backends=("e3nn",), formats=("float32",)), l_max=(1, 2), batches=(1, 4), budget=0.0)
    assert [(p.l_max, p.batch) for p in points] == [(1, 1), (1, 4), (2, 1), (2, 4)]
    assert all("left out" in p.reasons["*"] and not p.seconds for p in points)


def test_the_sweep_measures_what_fits() -> None:
    (one, two) = sweep(Options(backends=("e3nn",), formats=("float32",)), l_max=(1,), batches=(1, 2), point=0.0)
    assert (two.atoms, two.edges) == (2 * one.atoms, 2 * one.edges)
    assert all(len(p.seconds["e3nn"]) == 5 for p in (one, two))


@pytest.fixture(scope="module")
def session_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("profile")
    options = Options(systems=(SYSTEM,), backends=("e3nn",), formats=("float32", "tf32"))
    profile_session(options, Plan(("energy",), calls=1, latency_seconds=0.0), out)
    return out


def test_a_session_writes_records_that_can_be_read_back(session_files: Path) -> None:
    run = read_records(session_files / "profile.json")
    blocks = [f for f in run.records if f.check == "profile" and f.verdict == "pass"]
    assert run.suite == "profile"
    assert sum(number(f, "share") for f in blocks) == pytest.approx(1, abs=1e-4)
    assert "emulated on a CPU" in next(f.reason for f in run.records if f.verdict == "unsupported")
    text = (session_files / "profile.md").read_text()
    assert text == markdown(run)
    assert all(f.subject in text.replace("\\", "") for f in blocks)
    assert "emulated on a CPU" in render(run)
    assert max(map(len, render(run).splitlines()[:-2])) <= 100


def test_pictures_show_every_block_s_time(session_files: Path) -> None:
    run = read_records(session_files / "profile.json")
    (axes,) = draw_blocks(run, f"{SYSTEM}*1", "float32", "energy").axes
    drawn = sum(bar.get_width() for bar in axes.patches)  # type: ignore[attr-defined]
    assert drawn == pytest.approx(number(run.records[0], "end_to_end_ms"), rel=0.01)
    assert (session_files / "profile-latency.png").read_bytes()[:4] == b"\x89PNG"
    assert b"</svg>" in (session_files / "profile-energy.svg").read_bytes()


def test_nothing_measured_is_an_error_and_writes_no_record(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing was measured"):
        profile_session(Options(systems=(SYSTEM,), backends=("e3nn",), formats=("tf32",)), Plan(("energy",), calls=1), tmp_path)
    assert list(tmp_path.iterdir()) == []
