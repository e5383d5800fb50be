"""Whole runs in processes of their own, as users start them; with code that is planted in them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SMALL = {
    "precision": ["--block", "readouts.*", "--backend", "e3nn", "--format", "float32", "--format", "float64"],
    "symmetry": ["--block", "readouts.*", "--backend", "e3nn", "--format", "float64", "--check", "layout", "--check", "equivariance"],
    "audit": ["--block", "readouts.*", "--backend", "e3nn", "--format", "float32", "--check", "engagement", "--check", "dtypes"],
}
COMMAND = {"precision": "run", "symmetry": "symmetry", "audit": "audit"}


def started(session: str, out: Path, cache: Path, *more: str, site: str = "") -> subprocess.Popen[str]:
    """A run in a process, with code that is executed in it, and in each of its workers, once mace can be imported."""
    (out.parent / "planted.py").write_text(f"from mpcheck.adapters import upstream\n{site}\n")
    path = os.pathsep.join([str(ROOT), str(out.parent)])
    variables = {**os.environ, "OMP_NUM_THREADS": "1", "MPCHECK_CACHE_DIR": str(cache), "PYTHONPATH": path, "PYTEST_PLUGINS": "planted"}
    command = [*SMALL.get(session, []), "--system", "builtin:water", "--out", str(out), *more]
    words = [sys.executable, "-m", "mpcheck", COMMAND[session], "builtin:hco", *command]
    return subprocess.Popen(words, cwd=out.parent, env=variables, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def ended(session: str, out: Path, cache: Path, *more: str, site: str = "") -> tuple[int, str]:
    process = started(session, out, cache, *more, site=site)
    said, _ = process.communicate(timeout=400)
    return process.returncode, said
