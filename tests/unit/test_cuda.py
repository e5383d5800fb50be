"""Everything for CUDA goes through one object, and runs on a stand-in for it: a typing error there fails here, not on the first GPU."""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

import mpcheck
from mpcheck._cuda import CUDA, standing_in
from mpcheck.adapters.backends.e3nn import BACKEND
from mpcheck.bench.cost import device as cost
from mpcheck.bench.cost.fingerprint import fingerprint
from mpcheck.bench.gpu.nvml import opened_gpu
from mpcheck.bench.launch.worker import Worker
from mpcheck.bench.profile.profiler import finished
from mpcheck.bench.work.workload import UnsupportedError, Workload, once
from mpcheck.checks.audit import engagement
from mpcheck.history.latency.device import device_key
from mpcheck.policy.running.autocast import autocasting
from mpcheck.policy.speed.memory import peak_bytes
from mpcheck.policy.speed.variants import varied
from mpcheck.pytest_plugin.options import _device
from mpcheck.records.environment import device_name, device_slug
from mpcheck.survey.probes import smoke
from tests.fakes.cuda import FakeCuda, launches
from tests.fakes.gpus import GPU, board
from tests.fakes.nvml import FakeNvml

PACKAGE = Path(mpcheck.__file__).parent
HOME = "_cuda.py"
MODULES = sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))


def named(source: str) -> list[int]:
    """Lines of code that name ``torch.cuda``."""
    found = []
    for node in ast.walk(ast.parse(source)):
        own = isinstance(node, ast.Attribute) and node.attr == "cuda" and ast.unparse(node.value) == "torch"
        imported = isinstance(node, ast.Import) and any(a.name.startswith("torch.cuda") for a in node.names)
        taken = isinstance(node, ast.ImportFrom) and ((node.module or "").startswith("torch.cuda") or (
            node.module == "torch" and any(a.name == "cuda" for a in node.names)))  # fmt: skip
        if own or imported or taken:
            found.append(getattr(node, "lineno", 0))
    return found


@pytest.mark.parametrize("name", [name for name in MODULES if name != HOME])
def test_nothing_else_names_it(name: str) -> None:
    assert named((PACKAGE / name).read_text(encoding="utf-8")) == [], "go through mpcheck._cuda.CUDA, which tests stand in for"


def test_the_static_test_sees_what_it_forbids() -> None:
    assert named((PACKAGE / HOME).read_text(encoding="utf-8"))
    for source in ("torch.cuda.synchronize()", "import torch.cuda", "from torch import cuda", "from torch.cuda import Event", "x = torch.cuda"):
        assert named(source), source


@pytest.fixture
def fake() -> Iterator[FakeCuda]:
    made = FakeCuda(devices=2)
    with standing_in(made):
        yield made


def test_a_stand_in_is_one_while_the_block_lasts() -> None:
    before = CUDA.is_available()
    with contextlib.suppress(RuntimeError), standing_in(FakeCuda()):
        assert CUDA.is_available() and CUDA.get_device_name() == "Made Up 9000"
        raise RuntimeError
    assert CUDA.is_available() is before


def test_a_device_is_named_and_keyed(fake: FakeCuda) -> None:
    assert (device_name("cuda"), device_slug("cuda:1")) == ("Made Up 9000", "cuda-made-up-9000")
    key = device_key("cuda", 1)
    assert (key.capability, key.kind, key.name) == ("9.0", "cuda", "Made Up 9000")
    fake.available = False
    assert device_key("cuda", 1).capability != "9.0"


def test_backends_and_workers_see_whether_it_is_there(fake: FakeCuda) -> None:
    assert BACKEND.unavailable("cuda") is None and Worker._has(GPU)
    fake.available = False
    assert BACKEND.unavailable("cuda") is not None and not Worker._has(GPU) and Worker._has(torch.device("cpu"))


def test_workers_of_xdist_share_the_devices_out(fake: FakeCuda) -> None:
    config: Any = SimpleNamespace(workerinput={"workerid": "gw3"})
    assert _device(config, "cuda") == "cuda:1" and _device(config, "cuda:0") == "cuda:0" and _device(config, "cpu") == "cpu"
    fake.devices = 1
    assert _device(config, "cuda") == "cuda"


def test_a_first_call_and_a_profiled_one_wait_for_the_device(fake: FakeCuda) -> None:
    call = launches(fake, 0.5)
    assert once(call, GPU) > 0 and fake.synchronised == 2
    finished(Workload(None, None, call, GPU, 0.0))()  # type: ignore[arg-type]
    assert fake.synchronised == 3 and fake.host >= fake.free


def test_memory_of_a_call_is_the_peak_beyond_what_was_held(fake: FakeCuda) -> None:
    def call() -> None:
        fake.peak = fake.held + 4096

    assert cost.peak_on_device(call, GPU) == 4096


class Recorded:
    """``torch.profiler.profile``, of what the fake ran."""

    def __init__(self, fake: FakeCuda, **options: Any) -> None:
        self.inner = fake.profile()
        assert options["activities"]

    def __enter__(self) -> Recorded:
        self.inner.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.inner.__exit__()

    def events(self) -> list[Any]:
        types = {"DeviceType.CUDA": cost.DeviceType.CUDA, "DeviceType.CPU": cost.DeviceType.CPU}
        return [SimpleNamespace(**{**vars(event), "device_type": types[event.device_type]}) for event in self.inner.events()]


def test_kernels_of_a_call_are_counted_without_the_profilers_own(fake: FakeCuda, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost, "profile", lambda **options: Recorded(fake, **options))
    found = cost.device_cost(launches(fake, 1e-3, 3), GPU)
    assert found.launches >= 3 and found.kernels["kernel"] == 3 and found.syncs == {}


def test_kernels_of_a_block_are_named(fake: FakeCuda, monkeypatch: pytest.MonkeyPatch) -> None:
    """The forward pass stands in for itself; what is profiled, waited for and named is the audit's own."""
    monkeypatch.setattr(torch.profiler, "profile", lambda **options: Recorded(fake, **options))
    monkeypatch.setattr(engagement, "arguments_in", lambda *_: {})
    monkeypatch.setattr(engagement, "arithmetic", lambda *_: contextlib.nullcontext())
    monkeypatch.setattr(engagement, "Run", lambda *_: launches(fake, 1e-3)())
    backend: Any = SimpleNamespace(device=GPU, prepared=lambda *_: contextlib.nullcontext())
    reference: Any = SimpleNamespace(block=None, skeleton=None)
    assert "kernel" in engagement.profiled_kernels(backend, reference, SimpleNamespace(storage=torch.float32))  # type: ignore[arg-type]


def test_a_calls_memory_is_measured_on_the_device(fake: FakeCuda) -> None:
    assert peak_bytes(lambda: setattr(fake, "peak", fake.held + 512), GPU) == 512


@pytest.mark.filterwarnings("ignore:CUDA is not available")
def test_autocast_of_a_device_is_torchs_own() -> None:
    with autocasting(torch.bfloat16, GPU):
        assert torch.is_autocast_enabled("cuda") == CUDA.is_available()  # torch turns it off where there is no device
    assert not torch.is_autocast_enabled("cuda")


def test_a_fingerprint_on_a_device_counts_its_kernels_and_its_memory(fake: FakeCuda, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost, "profile", lambda **options: Recorded(fake, **options))
    fake.peak = fake.held + 64
    found = fingerprint(Workload(None, None, launches(fake, 1e-3, 3), GPU, 0.0))  # type: ignore[arg-type]
    assert found.kernels is not None and found.kernels["kernel"] == 3 and found.launches >= 3


def test_a_policys_graph_is_captured_on_the_device() -> None:
    """Up to the capture itself, which a stand-in of the timer makes."""

    class Plain(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x

    model: Any = SimpleNamespace(model=Plain(), parameters=lambda: iter(()), apart=None)
    assert varied(model, "cudagraph", GPU).model is not None
    with pytest.raises(UnsupportedError, match="no CUDA device"):
        varied(model, "cudagraph", torch.device("cpu"))


def test_the_surveys_board_is_read_through_nvml(fake: FakeCuda, monkeypatch: pytest.MonkeyPatch) -> None:
    nvml = FakeNvml([board()])
    fake.uuid = board().uuid
    monkeypatch.setattr(smoke, "opened_gpu", partial(opened_gpu, api=nvml))
    found = smoke.board("cuda")
    assert found.verdict == "pass" and found.figures["L2_cache_size"] == float(fake.l2) and "SM MHz" in found.figures
    fake.available = False
    assert smoke.board("cuda").verdict == "inconclusive" and smoke.board("cpu").verdict == "unsupported"
