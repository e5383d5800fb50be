"""The plugin's options: a GPU is given to each worker."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from mpcheck.pytest_plugin import options as plugin_options
from mpcheck.sessions.registry import get


def config(device: str, worker: str = "") -> Any:
    found = SimpleNamespace(
        getoption=lambda name, default=None: {"--mp-device": device}.get(name, default), pluginmanager=pytest.PytestPluginManager()
    )
    if worker:
        found.workerinput = {"workerid": worker}
    return found


@pytest.mark.parametrize(
    ("device", "worker", "count", "expected"),
    [
        ("cuda", "gw0", 4, "cuda:0"),
        ("cuda", "gw3", 4, "cuda:3"),
        ("cuda", "gw5", 4, "cuda:1"),
        ("cuda", "gw1", 1, "cuda"),
        ("cuda", "gw1", 0, "cuda"),
        ("cuda", "", 4, "cuda"),
        ("cuda:2", "gw1", 4, "cuda:2"),
        ("cpu", "gw1", 4, "cpu"),
    ],
)
def test_a_gpu_per_worker(device: str, worker: str, count: int, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """``device_count`` counts what CUDA_VISIBLE_DEVICES leaves, and ``cuda:N`` is the Nth of those."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    assert plugin_options.options_of(config(device, worker), get("audit")).device == expected
