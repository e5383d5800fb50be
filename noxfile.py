"""Sessions. This file is the only place that knows how to run anything; CI and the README call it.

All sessions share one environment, made at first use in .nox/shared and reused, so that torch is installed once.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nox

nox.needs_version = ">=2024.4.15"
nox.options.sessions = ["lint", "tests", "precision"]
nox.options.default_venv_backend = "none"

ROOT = Path(__file__).parent
SHARED = ROOT / ".nox" / "shared"
BIN = SHARED / ("Scripts" if os.name == "nt" else "bin")
PYTHON = str(BIN / "python")
LEAN = ("-p", "no:logging", "-p", "no:hypothesispytest", "-p", "no:randomly")  # unused by the suite, and they cost a millisecond a cell
# A bare `torch` pulls gigabytes of CUDA onto a machine without a GPU. Name the build that fits with MPCHECK_TORCH, for
# instance "torch --index-url https://download.pytorch.org/whl/cpu".
TORCH = os.environ.get("MPCHECK_TORCH", "torch==2.13.0" if shutil.which("nvidia-smi") is None else "torch")


def _run(*command: str) -> None:
    subprocess.run(command, check=True, cwd=ROOT)


def prepare(session: nox.Session) -> None:
    """The shared environment, with the project installed editable; seconds where nothing changed."""
    inputs = (ROOT / "pyproject.toml").read_bytes() + TORCH.encode() + sys.version.encode()
    wanted, stamp = hashlib.sha256(inputs).hexdigest(), SHARED / "stamp"
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    session.log("making the shared environment in .nox/shared (torch, mace, cuEquivariance: minutes, once)")
    if not Path(PYTHON).exists():
        _run(sys.executable, "-m", "venv", str(SHARED))
    _run(PYTHON, "-m", "pip", "install", "-q", *TORCH.split())
    _run(PYTHON, "-m", "pip", "install", "-q", "-e", ".[dev]")
    stamp.write_text(wanted)


def one_thread(session: nox.Session) -> None:
    """The environment, for sessions of several processes: with a thread for every core each they would spin against each other, ten
    times slower on two cores.
    """
    prepare(session)
    session.env.setdefault("OMP_NUM_THREADS", os.environ.get("OMP_NUM_THREADS", "1"))


def tool(session: nox.Session, module: str, *arguments: str) -> None:
    """Run a module of the shared environment."""
    session.run(PYTHON, "-m", module, *arguments, external=True)


def suite(session: nox.Session, name: str, folder: str, *arguments: str) -> None:
    """Run a suite; arguments of the session go to pytest: `nox -s precision -- --mp-model X`."""
    prepare(session)
    plain = arguments or ("-p", "no:benchmark")
    tool(session, "pytest", f"tests/{folder}", "-q", *LEAN, *plain, "--mp-out", "reports", "--junitxml", f"reports/{name}.xml", *session.posargs)


def own_tests(session: nox.Session, folder: str, *arguments: str) -> None:
    """Run tests of the project itself."""
    tool(session, "pytest", folder, "-q", "-p", "no:benchmark", *arguments)


@nox.session
def precision(session: nox.Session) -> None:
    """Main job: every block at every format and backend."""
    suite(session, "precision", "blocks")


@nox.session
def symmetry(session: nox.Session) -> None:
    """Rotations, layouts, mixed backends, conversion."""
    suite(session, "symmetry", "symmetry")


@nox.session
def audit(session: nox.Session) -> None:
    """What really ran and in which types; accumulation, reductions at scale, physics without a reference."""
    suite(session, "audit", "audit")


@nox.session
def bench(session: nox.Session) -> None:
    """Latency and cost of every block against the stored baseline: `-- --mp-against REF` for base against head."""
    suite(session, "bench", "benchmarks", "--benchmark-quiet", "--benchmark-json=reports/pytest-benchmark.json")


@nox.session
def profile(session: nox.Session) -> None:
    """Where the time goes: the map of blocks, a trace for Perfetto, pictures."""
    prepare(session)
    tool(session, "mpcheck", "profile", *(session.posargs or ["builtin:hco"]))


@nox.session
def tests(session: nox.Session) -> None:
    """The project's own tests."""
    one_thread(session)
    own_tests(session, "tests/unit", *(session.posargs or ["-n", "2"]))


@nox.session
def faults(session: nox.Session) -> None:
    """Real faults of the field, planted: is each seen, and the right block named? `-- --smoke`: two minutes of it.

    `-- --docs` rewrites docs/faults.md afterwards.
    """
    one_thread(session)
    options = {"--smoke", "--docs"} & set(session.posargs)
    rest = [a for a in session.posargs if a not in options] or ["-n", "2"]
    chosen = ["-m", "smoke"] if "--smoke" in options else []
    own_tests(session, "tests/faults", *chosen, *rest)
    if "--docs" in options:
        session.run(PYTHON, "tools/fault_curves.py", external=True)
        tool(session, "tests.faults.page")


@nox.session
def fuzz(session: nox.Session) -> None:
    """Drawn models and structures: the corpus of what they once found, then new ones for MPCHECK_FUZZ_SECONDS (60)."""
    one_thread(session)
    own_tests(session, "tests/fuzz", *(session.posargs or ["-n", "2"]))


@nox.session
def stability(session: nox.Session) -> None:
    """False alarms: the clean suite under everything that may legitimately change, 50,000 cells; arguments go to the runner."""
    one_thread(session)
    tool(session, "tests.stability.run", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Style, types, import contracts, tolerance schemas."""
    prepare(session)
    tool(session, "ruff", "check", ".")
    tool(session, "ruff", "format", "--check", ".")
    tool(session, "mypy")
    session.run(str(BIN / "lint-imports"), external=True)


@nox.session
def regenerate(session: nox.Session) -> None:
    """Rewrite goldens, ratio baselines and derived tolerances; prints what changed. `-- --reason "…"` where it loosens."""
    prepare(session)
    tool(session, "mpcheck.regenerate", *session.posargs)


@nox.session
def cost(session: nox.Session) -> None:
    """Measure what the suite costs: benchmarks/suite_cost.py."""
    prepare(session)
    session.run(PYTHON, "benchmarks/suite_cost.py", *session.posargs, external=True)
