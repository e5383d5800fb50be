"""Device time without launch time: calls captured into one CUDA graph and replayed between events."""

from __future__ import annotations

import contextlib
import math
import warnings
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any

import torch

from mpcheck._cuda import CUDA, CudaApi, DeviceGraph
from mpcheck._errors import InputError, error_line
from mpcheck.bench.gpu.api import Allocate, Scratch, allocate, checked, no_synchronising
from mpcheck.bench.work.hostclock import counted, positive
from mpcheck.bench.work.workload import UnsupportedError

WARM_UP = 3
"""Calls on the side stream before capture, as torch's notes on CUDA graphs ask: libraries make their workspaces then."""

_broken: list[DeviceGraph] = []
"""Graphs whose capture failed. torch's allocator goes on asking such a graph whether a stream belongs to it, so it must outlive the failure."""


class GraphTimer:
    """Times a call by replays of a CUDA graph that holds ``repeats`` calls of it.

    The graph of the last call is kept until another call or :meth:`close`; as a context manager it closes itself.
    """

    def __init__(self, device: torch.device, repeats: int = 10, *, api: CudaApi = CUDA, allocate: Allocate = allocate) -> None:
        """Raises:
        InputError: fewer than one repeat.
        UnsupportedError: no such device.
        """
        if repeats < 1:
            raise InputError(f"a CUDA graph of {repeats} calls cannot be timed; give 1 or more")
        self.device = checked(device, api)
        self.repeats = repeats
        self._api = api
        self._allocate = allocate
        self._call: Callable[[], Any] | None = None
        self._graph: DeviceGraph | None = None

    def __enter__(self) -> GraphTimer:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Free the graph and its memory."""
        graph, self._graph, self._call = self._graph, None, None
        if graph is not None:
            self._api.synchronize(self.device)  # a graph must not go while it runs
            graph.reset()

    def seconds(self, call: Callable[[], Any], calls: int) -> float:
        """Device seconds of ``calls`` calls together: of as many replays as hold them, in proportion.

        Raises:
            InputError: no calls.
            UnsupportedError: the call cannot be captured; the device and its current stream are as before.
        """
        api, replays = self._api, math.ceil(counted(calls) / self.repeats)
        with api.device(self.device):
            graph = self.captured(call)
            graph.replay()  # the first one uploads the graph to the device
            begin, end = api.Event(enable_timing=True), api.Event(enable_timing=True)
            begin.record()
            for _ in range(replays):
                graph.replay()
            end.record()
            api.synchronize(self.device)
            total = begin.elapsed_time(end) * 1e-3  # milliseconds
        if not 0 < total < math.inf:
            raise UnsupportedError(f"the graph of the call takes {total:g} s: it queues no work on {self.device}")
        return total * calls / (replays * self.repeats)

    def captured(self, call: Callable[[], Any]) -> DeviceGraph:
        """The graph of a call, captured where it is not the last one's; it lives as long as this timer holds it.

        Raises:
            UnsupportedError: the call cannot be captured; the device and its current stream are as before.
        """
        if self._graph is None or self._call is not call:
            self.close()
            self._graph = self._capture(call)
            self._call = call
        return self._graph

    def _capture(self, call: Callable[[], Any]) -> DeviceGraph:
        """Warm up and capture on a side stream.

        A failed capture is costly: torch's graph context then leaves the side stream current, and the random generator in
        capture mode. So a call that makes the host wait is found out before the capture where torch can tell, the caller's
        stream is put back here, and what failed is followed by a capture that ends well.
        """
        api, caller, side = self._api, self._api.current_stream(), self._api.Stream()
        scratch = self._allocate(1, self.device)  # for the repair: nothing can be allocated safely once a capture has failed
        side.wait_stream(caller)
        try:
            with api.stream(side):
                self._warm(call)
                return self._record(call, side, scratch)
        finally:
            caller.wait_stream(side)

    def _warm(self, call: Callable[[], Any]) -> None:
        try:
            for _ in range(WARM_UP):
                call()
            with no_synchronising(self._api):
                call()
        except Exception as error:  # whatever a foreign block raises
            raise UnsupportedError(f"cannot be captured in a CUDA graph: {error_line(error)}") from error
        self._api.synchronize(self.device)

    def _record(self, call: Callable[[], Any], side: Any, scratch: Scratch) -> DeviceGraph:
        graph, first = self._api.CUDAGraph(), list[BaseException]()
        try:
            with _filled(graph), self._api.graph(graph, stream=side):
                try:
                    for _ in range(self.repeats):
                        call()
                except BaseException as error:
                    first.append(error)  # ending the capture raises an error of its own, which says less
                    raise
        except BaseException as error:
            _broken.append(graph)
            self._repair(graph, side, scratch)
            cause = first[0] if first else error
            if not isinstance(cause, Exception):
                raise cause from None  # an interrupt is the user's
            raise UnsupportedError(f"cannot be captured in a CUDA graph: {error_line(cause)}") from cause
        return graph

    def _repair(self, broken: DeviceGraph, side: Any, scratch: Scratch) -> None:
        """Leave capture mode: the end of a good capture resets what the end of a failed one skips."""
        api = self._api
        try:
            broken.reset()
            with api.stream(side):
                good = api.CUDAGraph()
                with api.graph(good, stream=side):
                    scratch.zero_()
                good.reset()
            api.synchronize(self.device)
        except RuntimeError as error:
            why = f"{self.device} does not recover from a CUDA graph capture that failed ({error_line(error)})"
            raise InputError(f"{why}; measure this one in a process of its own") from error


@contextlib.contextmanager
def _filled(graph: DeviceGraph) -> Iterator[None]:
    """A graph that captured nothing, of which torch only warns, is refused: its replays would take a time that is nobody's."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        yield
    empty = [w for w in seen if "Graph is empty" in str(w.message)]
    for other in seen:
        if other not in empty:
            warnings.warn_explicit(other.message, other.category, other.filename, other.lineno)
    if empty:
        raise RuntimeError("it queues no work on the device's current stream")


def launch_share(graph_seconds: float, event_seconds: float) -> float:
    """Share of a call's event time in which the device waits for launches: 1 - graph time / event time, at least 0.

    Both in seconds per call, both with the L2 cache in the same state.

    Raises:
        InputError: a time that is not positive and finite.
    """
    positive(graph=graph_seconds, event=event_seconds)
    return max(0.0, 1.0 - graph_seconds / event_seconds)
