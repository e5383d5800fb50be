"""Python processes that begin with upstream's packages imported: forks of one that imported them, for tests that start many.

To import torch, mace and e3nn takes five seconds, most of what a small run takes. A fork has its own arguments, directory, environment,
paths and output, and imports mpcheck anew; what is tested of imports themselves, of signals or of time needs a process of its own.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import random
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import IO, Any

OWN = "mpcheck"
"""What a fork imports itself."""


def run(
    words: Sequence[str], cwd: Path, env: Mapping[str, str] | None = None, merged: bool = False, timeout: float = 400.0
) -> subprocess.CompletedProcess[str]:
    """As ``subprocess.run([sys.executable, *words])``, output captured.

    Args:
        words: ``-m``, a module and its arguments, or ``-c``, code and its arguments.
        merged: standard error goes where standard output goes.
    """
    if not hasattr(os, "fork"):
        error = subprocess.STDOUT if merged else subprocess.PIPE
        command = [sys.executable, *words]
        return subprocess.run(command, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=error, text=True, check=False, timeout=timeout)
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        request = {"words": list(words), "cwd": str(cwd), "env": dict(os.environ if env is None else env)}
        server = _server()
        server.settimeout(timeout)
        _ask(server, request, [out, out if merged else err])
        answer = server.recv(64)
        assert answer, "the process that forks died"
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess([sys.executable, *words], int(answer), out.read(), err.read())


def _ask(server: socket.socket, request: Mapping[str, Any], files: Sequence[IO[str]]) -> None:
    text = json.dumps(request).encode()
    socket.send_fds(server, [len(text).to_bytes(8, "big")], [file.fileno() for file in files])
    server.sendall(text)


@cache
def _server() -> socket.socket:
    """A process that forks, until this one ends."""
    ours, theirs = socket.socketpair()
    root = Path(__file__).parents[2]
    variables = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen([sys.executable, __file__, str(theirs.fileno())], pass_fds=[theirs.fileno()], cwd=root, env=variables)
    theirs.close()

    def end() -> None:
        ours.close()
        process.wait(60)

    atexit.register(end)
    return ours


def _serve(connection: socket.socket) -> dict[str, Any]:
    """Fork for every request; what returns is a fork, with its request."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of the tests, which end this process by closing the connection
    while True:
        size, files, _, _ = socket.recv_fds(connection, 8, 2)
        if not size:
            raise SystemExit
        text = b""
        while len(text) < int.from_bytes(size, "big"):
            text += connection.recv(int.from_bytes(size, "big") - len(text))
        child = os.fork()
        if child == 0:
            for number, file in enumerate(files, 1):
                os.dup2(file, number)
            connection.close()
            signal.signal(signal.SIGINT, signal.default_int_handler)
            request: dict[str, Any] = json.loads(text)
            return request
        for file in set(files):
            os.close(file)
        _, status = os.waitpid(child, 0)
        connection.sendall(str(os.waitstatus_to_exitcode(status)).encode())


def _become(request: Mapping[str, Any]) -> None:
    """What the interpreter does when it begins."""
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    own = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    rest = [path for path in sys.path[1:] if path not in BEFORE]
    # an installed checkout is on the path of every process, behind all that a test puts there
    sys.path[:] = ["" if request["words"][0] == "-c" else str(Path.cwd()), *own, *rest, *BEFORE]
    for path in own:
        if (site := Path(path) / "sitecustomize.py").is_file():
            runpy.run_path(str(site))
            break
    random.seed()
    sys.modules["numpy"].random.seed()
    sys.modules["torch"].seed()
    what, name, *arguments = request["words"]
    sys.argv = [what if what == "-c" else name, *arguments]
    if what == "-m":
        runpy.run_module(name, run_name="__main__", alter_sys=True)
    else:
        exec(compile(name, "<string>", "exec"), {"__name__": "__main__"})


if __name__ == "__main__":
    BEFORE = [str(Path(__file__).parents[2])]
    import mpcheck.adapters.backends.cueq
    import mpcheck.adapters.upstream  # noqa: F401  # the one way to import them that leaves nothing behind

    for _module in [name for name in sys.modules if name.split(".")[0] == OWN]:
        del sys.modules[_module]
    gc.freeze()  # a fork that looked for garbage among them would copy them all
    _become(_serve(socket.socket(fileno=int(sys.argv[1]))))
