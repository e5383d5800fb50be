"""What the profiler counts of a call on a device."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from torch._C._autograd import DeviceType

from mpcheck.bench.cost.device import DeviceCost, beyond_idle, tally


def test_what_the_profiler_adds_by_itself_is_not_the_calls() -> None:
    def events(**names: int) -> list[Any]:
        device = {"gemm": DeviceType.CUDA, "Memcpy HtoD": DeviceType.CUDA}
        listed = [(name.replace("_", " ") if name.startswith("Mem") else name) for name, n in names.items() for _ in range(n)]
        return [SimpleNamespace(name=n, device_type=device.get(n, DeviceType.CPU), is_user_annotation=False) for n in listed]

    call = tally(events(gemm=3, Memcpy_HtoD=1, cudaDeviceSynchronize=2, cudaStreamSynchronize=1, cudaLaunchKernel=3))
    found = beyond_idle(*call, *tally(events(cudaDeviceSynchronize=2)))
    assert found == DeviceCost({"Memcpy HtoD": 1, "gemm": 3}, 3, {"cudaStreamSynchronize": 1})
