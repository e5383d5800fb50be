"""What is measured of one benchmark, as it is stored: figures of every launch, and the noise-free fingerprint of one call."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from mpcheck._files.yaml import Strict

Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0)]
CROWDED = 0.1
"""Share of time in which others ran on the same processor, from which a launch says more of them than of the code: what they put
into its caches slows a block by 5 to 8 % against its yardstick (measured beside a second job on the processor)."""
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


class Launch(Strict):
    """One process's steady state of one benchmark. A launch, not a round, is the unit of replication.

    Attributes:
        quantiles: of the seconds of one call over the rounds, at ``QUANTILES``.
        normalised: by yardstick kernel, the median over rounds of a call's seconds over the kernel's in the same round.
        rounds: how many; calls: in each.
        first_call: seconds of the first call in the process, with whatever is compiled in it.
        waiting: share of the time in which the scheduler let others run on the same processor. That time is not in the seconds, but
            who shares a processor shares its caches, too.
        device_seconds: of one call on the device alone, where it was told apart (CUDA graph or kernel times).
        joules: energy of one call, where the device counts it.
    """

    quantiles: Annotated[list[Seconds], Field(min_length=5, max_length=5)]
    normalised: dict[str, Seconds]
    rounds: Annotated[int, Field(ge=1)]
    calls: Annotated[int, Field(ge=1)]
    first_call: Seconds
    waiting: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.0
    device_seconds: Seconds | None = None
    joules: float | None = None

    @property
    def seconds(self) -> float:
        """Median seconds of a call."""
        return self.quantiles[2]


class Start(Strict):
    """What one process spent on a benchmark before its steady state.

    Attributes:
        first: seconds of the first calls in the process together (:data:`mpcheck.bench.timing.starts.CALLS`), compilation in them.
        shape: of the first calls, after those, on a structure more or less; None where they are unavailable.
        refused: why they are not; broken: whether they should have been, and something was raised.
        after: digest of the benchmarks that the process had called before: what those compiled is not compiled again, so that only
            first calls that come after the same ones may be compared. See :func:`mpcheck.bench.timing.starts.digest`.
        shape_after: likewise, of all that it called before it was given another shape.
    """

    first: Seconds
    shape: Seconds | None = None
    refused: str = ""
    broken: bool = False
    after: str = ""
    shape_after: str = ""


class Fingerprint(Strict):
    """What one call costs, counted and not timed: the same on every run of the same code on the same kind of device.

    Attributes:
        operations: calls of aten operations that compute, move or allocate, by name (views are free).
        kernels: CUDA kernels and copies by name, where there is a GPU to launch them on; empty elsewhere.
        launches: CUDA kernels launched; on a CPU, the operations that a GPU would launch a kernel for.
        multiply_adds: of all operations with floating-point results.
        bytes_moved: every argument read once and every result written once.
        casts: by ``from->to``: copies between types, and floating-point operands that an operation promotes on the way.
        peak_bytes: the largest sum of memory that the call held at one time, beyond its arguments.
        graph_breaks: of torch.compile's tracing; None where it was not asked for, or fails.
        syncs: operations that make the host wait for a GPU, by name; on CUDA also the runtime's calls that do.
        round_trips: by name, those operations and the reads that are none (:mod:`mpcheck.bench.cost.round_trips`), on any device; None in
            files older than the field.
    """

    operations: dict[str, Count]
    kernels: dict[str, Count] = {}
    launches: Count
    multiply_adds: Count
    bytes_moved: Count
    casts: dict[str, Count] = {}
    peak_bytes: Count
    graph_breaks: Count | None = None
    syncs: dict[str, Count] = {}
    round_trips: dict[str, Count] | None = None


class BenchFigures(Strict):
    """Everything stored of one benchmark.

    Attributes:
        starts: of each process that made its first calls; none in files older than they are.
    """

    launches: Annotated[list[Launch], Field(min_length=1)]
    fingerprint: Fingerprint | None = None
    starts: list[Start] = []
