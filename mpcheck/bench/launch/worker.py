"""A launch: a process that measures what it is told to. ``python -m mpcheck.bench.launch.worker`` reads requests and writes answers, one JSON
object a line; whatever upstream prints goes to standard error.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from mpcheck._errors import InputError
from mpcheck._packages import installed, modules
from mpcheck._raised import ENDS, raised
from mpcheck._text import say_lines

PROTOCOL = 3  # 3: why something cannot run is told in fields
HASHED = modules("model", "kernels")  # torch's sources are too many, and of binaries there are none; a version says enough


def sources() -> dict[str, dict[str, str]]:
    """Where this process gets the libraries from: path, version, and a digest of their Python sources."""
    libraries = {}
    for name in (*HASHED, *modules("compiled", "torch")):
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            continue
        root = Path(spec.origin).parent
        state = hashlib.sha256()
        if name in HASHED:
            for path in sorted(p for p in root.rglob("*.py") if p.is_file()):
                state.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes())
        libraries[name] = {"path": str(root), "version": installed(name) or "unknown", "digest": state.hexdigest()[:16]}
    return libraries


class BaseWorker:
    """Answers requests, by methods of their names.

    Attributes:
        COMMANDS: that it knows. CALLING: those in which judged code is called: what it raises is its own fault, and the others are measured
            all the same.
        stack: what is kept until the end.
    """

    COMMANDS: tuple[str, ...] = ("hello",)
    CALLING: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.stack = contextlib.ExitStack()

    def hello(self) -> dict[str, Any]:
        """What this process is."""
        from mpcheck import __version__

        return {"protocol": PROTOCOL, "mpcheck": __version__, "python": sys.version.split()[0], "sources": sources()}


class Worker(BaseWorker):
    """Measures benchmarks. One workload may be open at a time."""

    CALLING = ("start", "reshape", "measure", "device", "fingerprint", "prepare", "turn")
    COMMANDS = ("hello", "load", "start", "reshape", "measure", "device", "fingerprint", "prepare", "turn", "release", "costs")

    def __init__(self) -> None:
        super().__init__()
        self.open = self.stack.enter_context(contextlib.ExitStack())
        self.workloads: Any = None
        self.timer: Any = None
        self.keys: dict[str, Any] = {}
        self.workload: Any = None
        self.once = 0.0

    def load(
        self, options: Mapping[str, Any], batches: list[int], works: list[str], cpus: list[int], flush_l2: bool = False, skip: Sequence[str] = ()
    ) -> dict[str, Any]:
        """Load the model and list the benchmarks; they are in ``keys``, by name.

        Args:
            flush_l2: clear a GPU's L2 cache before every timed call.
            skip: benchmarks that are not wanted.
        """
        import torch

        from mpcheck.bench.keys import check_work
        from mpcheck.bench.timing.timers import choose_timer
        from mpcheck.bench.work.pinning import pinned
        from mpcheck.bench.work.workloads import Workloads
        from mpcheck.records.environment import describe
        from mpcheck.sessions.run import Options, Session

        self.stack.enter_context(pinned(cpus))
        typed: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in options.items()}
        session = Session(Options(**typed))
        self.workloads = Workloads(session, batches, check_work(tuple(works)))
        self.timer = choose_timer(session.device if self._has(session.device) else torch.device("cpu"), flush_l2=flush_l2)
        self.keys = {key.id: key for key in self.workloads.keys() if key.id not in set(skip)}  # noqa: SIM118 - no mapping
        return {"keys": list(self.keys), "environment": describe(str(session.device)), "waits_known": getattr(self.timer, "waits_known", None)}

    @staticmethod
    def _has(device: Any) -> bool:
        """Whether the device is there; where it is not, every benchmark says so itself."""
        from mpcheck._cuda import CUDA

        return device.type == "cpu" or CUDA.is_available()

    def _key(self, name: str) -> Any:
        if name not in self.keys:
            raise InputError(f"benchmark {name} does not exist in this environment")
        return self.keys[name]

    def start(self, key: str) -> dict[str, Any]:
        """The first calls of a benchmark in this process."""
        from mpcheck.bench.timing.starts import start

        return start(self.workloads, self._key(key))

    def reshape(self, key: str) -> dict[str, Any]:
        """The first calls of a benchmark on another number of structures."""
        from mpcheck.bench.timing.starts import reshape

        return reshape(self.workloads, self._key(key))

    def measure(self, key: str, plan: Mapping[str, Any], first: bool) -> dict[str, Any]:
        """One pass over a benchmark: its rounds beside the yardstick's."""
        from dataclasses import asdict

        from mpcheck.bench.timing.sampling import SamplingPlan, sample

        return asdict(sample(self.workloads, self._key(key), self.timer, SamplingPlan(**plan), first))

    def device(self, key: str, seconds: float) -> dict[str, Any]:
        """What a GPU tells of a benchmark: its time in a CUDA graph and in kernels, energy, clocks; empty on a CPU."""
        from dataclasses import asdict

        from mpcheck.bench.gpu.figures import measure_device

        with self.workloads.opened(self._key(key)) as workload:
            for _ in range(3):
                workload.call()
            figures = measure_device(workload.call, workload.device, seconds)
        return {} if figures is None else {"device_seconds": figures.device_seconds, **asdict(figures)}

    def fingerprint(self, key: str) -> dict[str, Any]:
        """What one call costs, counted."""
        from mpcheck.bench.cost.fingerprint import fingerprint

        with self.workloads.opened(self._key(key)) as workload:
            return {"fingerprint": fingerprint(workload).model_dump()}

    def prepare(self, key: str, warmup: int) -> dict[str, Any]:
        """Open a workload for :meth:`turn`."""
        from mpcheck.bench.timing.sampling import seconds_of

        self.release()
        self.workload = self.open.enter_context(self.workloads.opened(self._key(key)))
        for _ in range(warmup):
            self.workload.call()
        self.once = seconds_of(self.timer, self.workload)
        return {"seconds": self.once, "first_call": self.workload.first_call}

    def turn(self, calls: int) -> dict[str, Any]:
        """Seconds of one call, over ``calls`` calls of the open workload, after one that brings its data back into the caches."""
        from mpcheck.bench.timing.sampling import LONG

        if self.once < LONG:
            self.workload.call()
        return {"seconds": self.timer.seconds(self.workload.call, calls) / calls}

    def release(self) -> dict[str, Any]:
        """Close the open workload."""
        self.open.close()
        self.workload = None
        return {}

    def costs(self) -> dict[str, Any]:
        """Seconds that building each backend's model took."""
        return {"build_seconds": dict(self.workloads.build_seconds)}


def answer(worker: BaseWorker, line: str) -> dict[str, Any]:
    """One request's answer; what went wrong is an answer, too."""
    from mpcheck._unsupported import Unsupported
    from mpcheck.bench.work.workload import UnsupportedError

    command = ""
    try:
        request = json.loads(line)
        command = request.pop("do")
        if command not in worker.COMMANDS:
            raise InputError(f"unknown request {command!r}")
        method: Callable[..., dict[str, Any]] = getattr(worker, command)
        return {"ok": method(**request)}
    except UnsupportedError as error:
        return {"unsupported": error.why.fields()}
    except InputError as error:
        return {"input_error": str(error)}
    except ENDS:
        raise
    except BaseException as error:  # upstream's code: the process that asked must hear of it
        say_lines(traceback.format_exc(), error=True)
        told = raised(error)
        return {"unsupported": Unsupported("raised", f"raised {told.text}").fields()} if command in worker.CALLING else {"crash": told.text}


def serve(requests: TextIO, answers: TextIO, worker: BaseWorker | None = None) -> None:
    """Answer until there are no more requests."""
    worker = worker or Worker()
    with worker.stack:
        for line in requests:
            print(json.dumps(answer(worker, line)), file=answers, flush=True)


def main(worker: BaseWorker | None = None) -> None:
    """Keep standard output for answers.

    Args:
        worker: that answers; one of benchmarks by default.
    """
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    serve(sys.stdin, answers, worker)


if __name__ == "__main__":
    main()
