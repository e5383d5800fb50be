"""Start launches and talk to them: a JSON object a line, over pipes.

Not by execnet, though pytest-xdist brings it. Measured, asked in turns: a kernel of 54 µs in either kind of process, pinned to one
processor, 1000 rounds of 20 calls each: 5 to 95 % of the rounds within 53.4 to 56.4 µs in both, and the mean ratio of the two
1.0001 ± 0.0008, so that its receiving thread costs no time; but isolation it has not. A gateway of another interpreter starts in the
caller's own environment (no PYTHONPATH, PYTHONHASHSEED or thread count of its own), with the current directory first on its path, runs a
second thread that is not pinned, and its standard error is the caller's, so that a launch that dies leaves no last words.
"""

from __future__ import annotations

import collections
import contextlib
import json
import math
import os
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mpcheck._errors import InputError
from mpcheck._unsupported import Unsupported
from mpcheck.bench.launch.worker import PROTOCOL
from mpcheck.bench.work.workload import UnsupportedError


class LaunchProcess:
    """A running worker process.

    Attributes:
        patience: seconds after which a request is taken for one that never ends; the process is killed then.
    """

    def __init__(self, process: subprocess.Popen[str], name: str, patience: float = math.inf) -> None:
        self.process = process
        self.name = name
        self.patience = patience
        self._errors: collections.deque[str] = collections.deque(maxlen=30)
        assert process.stderr is not None  # it was started with a pipe
        self._drain = threading.Thread(target=self._errors.extend, args=(process.stderr,), daemon=True)
        self._drain.start()

    def ask(self, command: str, **fields: Any) -> dict[str, Any]:
        """One request's answer.

        Raises:
            UnsupportedError: the workload cannot run there.
            InputError: bad input, the process died, or it did not answer in time; its last words are in the line.
        """
        assert self.process.stdin is not None and self.process.stdout is not None  # it was started with pipes
        with self._killed_after_patience() as late:
            try:
                print(json.dumps({"do": command, **fields}), file=self.process.stdin, flush=True)
            except BrokenPipeError:  # it does not listen any more, but may have spoken before
                self._status()
                self.process.kill()
            line = self.process.stdout.readline()
        if line:
            return self._answer(line, command)
        if late.is_set():
            what = f"{command} {fields.get('key', '')}".strip()
            raise InputError(
                f"{self.name} did not answer {what} within {self.patience:.0f} s and was ended: {self._last_words()};"
                " where it only needs longer, allow more with --seconds"
            )
        raise InputError(f"{self.name} died during {command} ({self._status()}): {self._last_words()}")

    @contextlib.contextmanager
    def _killed_after_patience(self) -> Iterator[threading.Event]:
        """Kill the process when the patience is over, which ends the waiting for its answer; the event tells that it was."""
        late = threading.Event()

        def end() -> None:
            late.set()
            self.process.kill()

        timer = threading.Timer(min(self.patience, threading.TIMEOUT_MAX), end)
        timer.daemon = True
        timer.start()
        try:
            yield late
        finally:
            timer.cancel()

    def _answer(self, line: str, command: str) -> dict[str, Any]:
        """What one of the four kinds of answer says; a program that is no worker says something else, or says back what it hears."""
        try:
            ((kind, told),) = json.loads(line).items()
            why = Unsupported.of(told) if kind == "unsupported" else None
        except (ValueError, AttributeError, TypeError):
            kind, told, why = "", None, None
        if why is not None:
            raise UnsupportedError(why)
        if kind == "input_error":
            raise InputError(told)
        if kind == "crash":
            raise InputError(f"{self.name} failed during {command}: {told}")
        if kind != "ok" or not isinstance(told, dict):
            raise InputError(f"{self.name} gave no answer to {command} but {line.strip()[:80]!r}")
        return told

    def _status(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=10)
        code = self.process.returncode
        return f"killed by signal {-code}" if code is not None and code < 0 else f"exit status {code}"

    def drained(self) -> None:
        """Wait until all that an ended process said was read; a child that it left behind may hold the pipe open."""
        self._drain.join(timeout=2)

    def _last_words(self) -> str:
        self.drained()
        lines = [line.strip() for line in self._errors if line.strip()]
        return lines[-1] if lines else "it said nothing; out of memory?"


def environment(threads: int, paths: Sequence[str] = ()) -> dict[str, str]:
    """A launch's environment: as many threads as processors it is pinned to, and one order of Python's sets.

    Args:
        paths: directories that come first on Python's path.
    """
    variables = {**os.environ, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads), "PYTHONHASHSEED": "0", "PYTHONUNBUFFERED": "1"}
    if paths:
        variables["PYTHONPATH"] = os.pathsep.join([*paths, *filter(None, [os.environ.get("PYTHONPATH", "")])])
    return variables


WORKER = ("-c", "import sys; sys.path = [p for p in sys.path if p]; from mpcheck.bench.launch.worker import main; main()")
"""What a launch runs. ``-m`` would put the current directory first on its path: in a checkout of MACE, the base would import the head's."""


def own_paths() -> tuple[str, ...]:
    """Directories before the standard library on this process's path: a launch that measures its environment imports the same.

    Where Python was started in a checkout (``python -m``), or pytest put one there, that is more than an interpreter's name tells.
    """
    library = {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")}
    standard = next((i for i, p in enumerate(sys.path) if p in library or p.endswith(".zip")), len(sys.path))
    return tuple(dict.fromkeys(str(Path(p).absolute()) for p in sys.path[:standard]))


@contextlib.contextmanager
def launched(
    name: str, threads: int, python: str = sys.executable, paths: Sequence[str] = (), arguments: Sequence[str] = WORKER, patience: float = math.inf
) -> Iterator[tuple[LaunchProcess, Mapping[str, Any]]]:
    """A worker and what it said of itself; it ends with the block.

    Args:
        patience: seconds that any of its answers may take.

    Raises:
        InputError: it cannot be started, lacks mpcheck, speaks another protocol, or hangs.
    """
    try:
        process = subprocess.Popen(
            [python, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(threads, paths)
        )
    except OSError as error:
        raise InputError(f"{name}: {python} cannot be started: {error.strerror or error}; give an environment that has mpcheck installed") from error
    launch = LaunchProcess(process, name, patience)
    try:
        try:
            hello = launch.ask("hello")
        except InputError as error:
            raise InputError(f"{error}; is mpcheck installed in {python}?") from error
        if hello.get("protocol") != PROTOCOL:
            raise InputError(f"{name}: mpcheck {hello.get('mpcheck')} there measures by protocol {hello.get('protocol')}, here it is {PROTOCOL}")
        yield launch, hello
    except BaseException:  # also Ctrl-C: what it is at is of no use any more
        process.kill()
        raise
    finally:
        _end(process, launch)


def _end(process: subprocess.Popen[str], launch: LaunchProcess) -> None:
    """Wait for a process that no request reaches any more; kill one that does not end by itself."""
    if process.stdin is not None:
        with contextlib.suppress(OSError):  # what it did not read cannot be flushed
            process.stdin.close()
    try:
        with contextlib.suppress(subprocess.TimeoutExpired):  # on a crowded machine; what it had to say it has said
            process.wait(timeout=20)
    finally:
        process.kill()  # nothing, where it has ended
        process.wait()
        launch.drained()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()
