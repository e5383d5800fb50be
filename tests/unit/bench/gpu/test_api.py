"""The part of torch.cuda that timing uses."""

from __future__ import annotations

import inspect
import warnings
from typing import Any

import pytest
import torch

from mpcheck._cuda import CudaApi
from mpcheck.bench.gpu.api import no_synchronising
from mpcheck.bench.timing.timers import choose_timer
from mpcheck.bench.work.workload import UnsupportedError
from tests.fakes.cuda import FakeCuda
from tests.fakes.timers import GPU

ASKED: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
    **dict.fromkeys(("is_available", "device_count", "current_device", "Stream", "CUDAGraph", "current_stream", "get_sync_debug_mode"), ((), {})),
    **dict.fromkeys(
        (
            "get_device_properties",
            "device",
            "synchronize",
            "memory_allocated",
            "max_memory_allocated",
            "reset_peak_memory_stats",
            "get_device_name",
            "get_device_capability",
        ),
        ((GPU,), {}),
    ),
    "Event": ((), {"enable_timing": True}),
    "stream": ((None,), {}),
    "graph": ((None,), {"stream": None}),
    "set_sync_debug_mode": (("error",), {}),
}


def test_torch_has_what_is_asked_of_it() -> None:
    assert set(ASKED) == {name for name in vars(CudaApi) if callable(getattr(CudaApi, name)) and not name.startswith("_")}
    for name, (arguments, options) in ASKED.items():
        inspect.signature(getattr(torch.cuda, name)).bind(*arguments, **options)
        assert callable(getattr(FakeCuda(), name))


@pytest.mark.skipif(torch.cuda.is_available(), reason="has a GPU")
def test_without_a_gpu_torch_s_own_interface_is_unsupported() -> None:
    for kind in ("events", "graph"):
        with pytest.raises(UnsupportedError, match="no CUDA device"):
            choose_timer(GPU, kind)  # type: ignore[arg-type]


def test_torch_s_warning_about_its_own_debug_mode_is_not_passed_on() -> None:
    cuda = FakeCuda()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with no_synchronising(cuda):
            assert cuda.mode == 2
    assert cuda.mode == 0
