"""The yardstick: small fixed kernels timed between the rounds of a benchmark, so that a stored figure survives the machine's state.

A call's seconds over a kernel's seconds, measured side by side, is what two days have in common: frequency, the
neighbours' load on caches and memory, and the scheduler move both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch

ALGORITHM = 1
"""Of the kernels below; another one makes stored ratios incomparable."""

KERNELS = ("matmul", "stream", "dispatch", "gather", "message")

Kernels = Mapping[str, Callable[[], Any]]


def kernels(device: torch.device) -> Kernels:
    """The kernels on a device, float32, about 0.2 ms each on one core of a server.

    matmul: matrix products of 96 rows, compute-bound · stream: sums of vectors that fit the second-level cache · dispatch: many
    additions of 64 numbers, bound by the cost of calling · gather: rows gathered and added up by index, in the first-level
    cache · message: rows gathered, scaled and added up in new memory of some hundred KiB, as a convolution's are.

    Buffers that are kept are small on purpose: one of the size of a cache level is fast or slow as its pages happen to lie
    (measured: 15 % between processes for 1 MiB, 2 % for 128 KiB).
    """
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(96, 96, generator=generator).to(device)
    vector = torch.randn(32768, generator=generator).to(device)
    short = torch.randn(64, generator=generator).to(device)
    index = torch.randint(0, 128, (1024,), generator=generator).to(device)
    rows = torch.randn(1024, 16, generator=generator).to(device)
    target = torch.zeros(128, 16, device=device)
    atoms = torch.randn(64, 64, generator=generator).to(device)
    sender, receiver = (torch.randint(0, 64, (1536,), generator=generator).to(device) for _ in range(2))
    weights = torch.randn(1536, 64, generator=generator).to(device)

    def matmul() -> None:
        for _ in range(8):
            torch.mm(matrix, matrix)

    def stream() -> None:
        for _ in range(16):
            torch.add(vector, vector)

    def dispatch() -> None:
        for _ in range(100):
            torch.add(short, short)

    def gather() -> None:
        for _ in range(6):
            target.zero_().index_add_(0, index, rows)
            target.index_select(0, index)

    def message() -> None:
        torch.zeros_like(atoms).index_add_(0, receiver, atoms.index_select(0, sender) * weights)

    return dict(zip(KERNELS, (matmul, stream, dispatch, gather, message), strict=True))
