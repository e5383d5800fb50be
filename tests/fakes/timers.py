"""Timers of a stand-in for a GPU."""

from __future__ import annotations

import torch

from mpcheck.bench.gpu.events import EventTimer
from mpcheck.bench.gpu.graph import GraphTimer
from tests.fakes.cuda import FakeCuda

GPU = torch.device("cuda")


def event_timer(cuda: FakeCuda, flush: bool = False, device: torch.device = GPU) -> EventTimer:
    return EventTimer(device, flush, api=cuda, allocate=cuda.allocate)


def graph_timer(cuda: FakeCuda, repeats: int = 10) -> GraphTimer:
    return GraphTimer(GPU, repeats, api=cuda, allocate=cuda.allocate)
