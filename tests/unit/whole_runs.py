"""Whole runs in processes of their own, as users start them; with code that is planted in them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.unit import forked

ROOT = Path(__file__).parents[2]
SMALL = {
    "precision": ["--block", "readouts.*", "--backend", "e3nn", "--format", "float32", "--format", "float64"],
    "symmetry": ["--block", "readouts.*", "--backend", "e3nn", "--format", "float64", "--check", "layout", "--check", "equivariance"],
    "audit": ["--block", "readouts.*", "--backend", "e3nn", "--format", "float32", "--check", "engagement", "--check", "dtypes"],
}
COMMAND = {"precision": "run", "symmetry": "symmetry", "audit": "audit"}


def command(session: str, out: Path, cache: Path, *more: str, site: str = "") -> tuple[list[str], dict[str, str]]:
    """A run's words and variables, with code that is executed in it, and in each of its workers, once mace can be imported."""
    (out.parent / "planted.py").write_text(f"from mpcheck.adapters import upstream\n{site}\n")
    path = os.pathsep.join([str(ROOT), str(out.parent)])
    variables = {**os.environ, "OMP_NUM_THREADS": "1", "MPCHECK_CACHE_DIR": str(cache), "PYTHONPATH": path, "PYTEST_PLUGINS": "planted"}
    options = [*SMALL.get(session, []), "--system", "builtin:water", "--out", str(out), *more]
    return ["-m", "mpcheck", COMMAND[session], "builtin:hco", *options], variables


def started(session: str, out: Path, cache: Path, *more: str, site: str = "") -> subprocess.Popen[str]:
    """A run in a process of its own, which an interrupt reaches, also where these tests were started in the background and ignore it."""
    words, variables = command(session, out, cache, *more, site=site)
    words = [sys.executable, *words]
    return subprocess.Popen(
        words, cwd=out.parent, env=variables, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip


def ended(session: str, out: Path, cache: Path, *more: str, site: str = "") -> tuple[int, str]:
    """A run's exit status, and what it said."""
    words, variables = command(session, out, cache, *more, site=site)
    done = forked.run(words, out.parent, variables, merged=True)
    return done.returncode, done.stdout
