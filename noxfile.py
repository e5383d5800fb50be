"""Sessions. This file is the only place that knows how to run anything; CI and the README call it.

All sessions share one environment, made at first use in .nox/shared and reused, so that torch is installed once.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nox

ROOT = Path(__file__).parent
sys.path.insert(0, str(ROOT))  # what declares sessions needs nothing but the standard library
from mpcheck.sessions.contract import SessionSpec  # noqa: E402
from mpcheck.sessions.launch import suite_path  # noqa: E402
from mpcheck.sessions.registry import sessions  # noqa: E402

nox.needs_version = ">=2024.4.15"
nox.options.sessions = ["lint", "tests", next(iter(sessions()))]
nox.options.default_venv_backend = "none"

SHARED = ROOT / ".nox" / "shared"
OWN = os.environ.get("MPCHECK_NOX_PYTHON", "")  # an environment that has everything: sessions use it as it is, and install nothing
BIN = Path(OWN).parent if OWN else SHARED / ("Scripts" if os.name == "nt" else "bin")
PYTHON = OWN or str(BIN / "python")
OLDEST = ("--index-strategy", "unsafe-best-match")  # the oldest torch may lie on another index than the newest
BESIDE = ("-n", "2", "--dist", "worksteal")  # neighbours stay on one worker, so that what a module builds is built once
LEAN = ("-p", "no:logging", "-p", "no:hypothesispytest", "-p", "no:randomly")  # unused by the suite, and they cost a millisecond a cell
# A bare `torch` pulls gigabytes of CUDA onto a machine without a GPU. Name the build that fits with MPCHECK_TORCH, for
# instance "torch --index-url https://download.pytorch.org/whl/cpu".
TORCH = os.environ.get("MPCHECK_TORCH") or ("torch==2.13.0" if shutil.which("nvidia-smi") is None else "torch")


def _run(*command: str) -> None:
    subprocess.run(command, check=True, cwd=ROOT)


def environment(name: str) -> str:
    """Python of the environment ``.nox/NAME``, made where it is not there yet."""
    home = ROOT / ".nox" / name
    python = str(home / BIN.name / "python")
    if not Path(python).exists():
        _run(sys.executable, "-m", "venv", str(home))
    return python


def prepare(session: nox.Session) -> None:
    """The shared environment, with the project installed editable; seconds where nothing changed.

    With ``MPCHECK_NOX_PYTHON=/path/to/python`` that interpreter's environment is used instead.
    """
    if OWN:
        return
    inputs = (ROOT / "pyproject.toml").read_bytes() + TORCH.encode() + sys.version.encode()
    wanted, stamp = hashlib.sha256(inputs).hexdigest(), SHARED / "stamp"
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    session.log("making the shared environment in .nox/shared (torch, mace, cuEquivariance: minutes, once)")
    environment(SHARED.name)
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


def suite(session: nox.Session, spec: SessionSpec) -> None:
    """Run a suite; arguments of the session go to pytest: `nox -s precision -- --mp-model X`."""
    (one_thread if spec.one_thread else prepare)(session)
    plain = [word.format(out=ROOT / "reports") for word in spec.pytest_words] or ["-p", "no:benchmark"]
    reports = ["--mp-out", "reports", "--junitxml", f"reports/{spec.name}.xml"]
    if spec.processes and not any(word.startswith(("-n", "--numprocesses", "--mp-device")) for word in session.posargs):
        plain += ["-n", str(spec.processes)]
    tool(session, "pytest", str(suite_path(spec)), "-q", *LEAN, *plain, *reports, *session.posargs)


def own_tests(session: nox.Session, folder: str, *arguments: str) -> None:
    """Run tests of the project itself."""
    tool(session, "pytest", folder, "-q", "-p", "no:benchmark", *arguments)


def judged(spec: SessionSpec) -> Callable[[nox.Session], None]:
    """A nox session for one of the package's: its suite, or its command where it has none."""

    def run(session: nox.Session) -> None:
        if spec.work:
            suite(session, spec)
        else:
            prepare(session)
            tool(session, "mpcheck", spec.command, *session.posargs)

    run.__doc__ = spec.title
    return run


for _spec in sessions().values():
    nox.session(judged(_spec), name=_spec.name)


@nox.session
def tests(session: nox.Session) -> None:
    """The project's own tests."""
    one_thread(session)
    own_tests(session, "tests/unit", *(session.posargs or BESIDE))


@nox.session
def browser(session: nox.Session) -> None:
    """The report in a headless Chromium that is installed already; screenshots in reports/browser. Without one: unsupported."""
    one_thread(session)
    own_tests(session, "tests/browser", *session.posargs)


FAKES = (
    "tests/unit/test_cuda.py", "tests/unit/bench/gpu", "tests/unit/bench/cost/test_device.py", "tests/unit/bench/cost/test_fingerprint.py",
    "tests/unit/bench/timing", "tests/unit/bench/launch/test_measurement.py", "tests/unit/survey/probes",
    "tests/unit/checks/audit/test_engagement.py",
    "tests/unit/adapters/backends", "tests/unit/history/latency/test_device.py", "tests/unit/policy/speed", "tests/unit/policy/running",
    "tests/unit/pytest_plugin/test_options.py", "tests/unit/report/pictures/test_sessions.py", "tests/unit/sessions/profile",
    "tests/unit/test_torch_precision.py", "tests/unit/reference/test_place.py",
)  # fmt: skip
"""Tests in which stand-ins for CUDA run what is for CUDA, and those of the functions around it."""


@nox.session(name="cuda-fakes")
def cuda_fakes(session: nox.Session) -> None:
    """How much of what runs on CUDA only has run on stand-ins: lines and branches, at least 95 %; minutes.

    And a survey on a processor that poses as a GPU.
    """
    one_thread(session)
    data, report = ROOT / ".nox" / "coverage", ROOT / ".nox" / "coverage.json"
    places = [place for place in FAKES if (ROOT / place).exists()]
    words = ("run", "--branch", "--source=mpcheck", f"--data-file={data}", "-m", "pytest", *places, "-q", "-p", "no:benchmark", *session.posargs)
    tool(session, "coverage", *words)
    tool(session, "coverage", "json", "-q", f"--data-file={data}", "-o", str(report))
    session.run(PYTHON, "tools/cuda_coverage.py", str(report), external=True)
    own_tests(session, "tests/rehearsal/test_gpu.py", "-s")


@nox.session
def rehearsal(session: nox.Session) -> None:
    """A survey of this CPU at toy size, killed in the middle and gone on with; one part fails, one hangs, one leaves too much.

    Its first parts on a processor that poses as a GPU, too.
    """
    one_thread(session)
    own_tests(session, "tests/rehearsal", "-s", "-m", "not full", *session.posargs)


@nox.session
def faults(session: nox.Session) -> None:
    """Real faults of the field, planted: is each seen, and the right block named? `-- --smoke`: two minutes of it.

    `-- --docs` rewrites docs/faults.md afterwards.
    """
    one_thread(session)
    options = {"--smoke", "--docs"} & set(session.posargs)
    rest = [a for a in session.posargs if a not in options] or list(BESIDE)
    chosen = ["-m", "smoke"] if "--smoke" in options else []
    own_tests(session, "tests/faults", *chosen, *rest)
    if "--docs" in options:
        session.run(PYTHON, "tools/fault_curves.py", external=True)
        tool(session, "tests.faults.page")


@nox.session
def smoke(session: nox.Session) -> None:
    """One planting of each fault, a few sound models of every kind: two minutes each of `faults` and `zoo`."""
    session.notify("faults", ["--smoke"])
    session.notify("zoo", ["--smoke"])


@nox.session
def lowest(session: nox.Session) -> None:
    """The project's own tests with the oldest release of every dependency that pyproject.toml allows."""
    python = environment("lowest")
    _run(python, "-m", "pip", "install", "-q", "uv")
    index = ["--extra-index-url", TORCH.split("--index-url")[1].strip()] if "--index-url" in TORCH else []
    _run(python, "-m", "uv", "pip", "install", "-q", "-p", python, "--resolution", "lowest-direct", *OLDEST, *index, "-e", ".[dev]")
    session.env.setdefault("OMP_NUM_THREADS", "1")
    session.run(python, "-m", "pytest", "tests/unit", "-q", "-p", "no:benchmark", *(session.posargs or BESIDE), external=True)


@nox.session
def fuzz(session: nox.Session) -> None:
    """Drawn models and structures: the corpus of what they once found, then new ones for MPCHECK_FUZZ_SECONDS (60).

    `-- --inputs`: 10,000 mutated files for every command and reader instead, minutes; further arguments go to tests/fuzz/inputs/runs.py.
    """
    one_thread(session)
    if "--inputs" in session.posargs:
        tool(session, "tests.fuzz.inputs.runs", *(a for a in session.posargs if a != "--inputs"))
        return
    own_tests(session, "tests/fuzz", *(session.posargs or BESIDE))


@nox.session
def stability(session: nox.Session) -> None:
    """False alarms: the clean suite under everything that may legitimately change, 50,000 cells; arguments go to the runner."""
    one_thread(session)
    tool(session, "tests.stability.run", *session.posargs)


@nox.session
def zoo(session: nox.Session) -> None:
    """False alarms, too: models of every class and option of upstream's on structures of every kind, all sessions; table in reports/zoo.

    `-- --smoke`: two minutes of it; `-- --older`, or MPCHECK_ZOO_OLDER=1: models that older releases saved, besides; `-- ID …`: some;
    tests/zoo/run.py has the rest.
    """
    one_thread(session)
    older = ["--older"] if os.environ.get("MPCHECK_ZOO_OLDER") == "1" else []
    tool(session, "tests.zoo.run", *older, *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Style, types, import contracts, tolerance schemas, workflows."""
    prepare(session)
    tool(session, "ruff", "check", ".")
    tool(session, "ruff", "format", "--check", ".")
    tool(session, "mypy")
    session.run(str(BIN / "lint-imports"), external=True)
    workflows(session)


def workflows(session: nox.Session) -> None:
    """What GitHub runs: safe by zizmor's two strictest readings, and of the form that GitHub takes."""
    for persona in ("pedantic", "auditor"):
        session.run(str(BIN / "zizmor"), "--offline", "--strict-collection", f"--persona={persona}", ".github", external=True)
    schemas = {"github-workflows": "workflows/*.yml", "github-actions": "actions/*/action.yml", "dependabot": "dependabot.yml"}
    for schema, pattern in schemas.items():
        files = map(str, sorted((ROOT / ".github").glob(pattern)))
        session.run(str(BIN / "check-jsonschema"), "--builtin-schema", f"vendor.{schema}", *files, external=True)


@nox.session
def regenerate(session: nox.Session) -> None:
    """Rewrite goldens, ratio baselines and derived tolerances; prints what changed. `-- --reason "…"` where it loosens."""
    prepare(session)
    tool(session, "mpcheck.sessions.regenerate", *session.posargs)


@nox.session
def cost(session: nox.Session) -> None:
    """Measure what the suite costs: benchmarks/suite_cost.py. `-- --sizes`: as structures grow, benchmarks/scale_cost.py."""
    prepare(session)
    script = "scale_cost.py" if "--sizes" in session.posargs else "suite_cost.py"
    session.run(PYTHON, f"benchmarks/{script}", *(a for a in session.posargs if a != "--sizes"), external=True)


@nox.session
def gate(session: nox.Session) -> None:
    """Head against base of the repository at MPCHECK_GATE_ROOT, or of the one where nox was called: `mpcheck gate`."""
    prepare(session)
    tool(session, "mpcheck", "gate", "--root", os.environ.get("MPCHECK_GATE_ROOT") or session.invoked_from, *session.posargs)


@nox.session(name="gate-tests")
def gate_tests(session: nox.Session) -> None:
    """The gate end to end: somebody's repository with a clean, a wrong and a slow change; `-- --docs` rewrites docs/examples, too."""
    one_thread(session)
    rest = [a for a in session.posargs if a != "--docs"]
    session.env["MPCHECK_NOX_PYTHON"] = PYTHON  # the workflow's own nox call installs nothing again
    timed = "tests/gate/test_gate.py"  # what measures runs alone, the others beside each other
    if not rest:
        own_tests(session, "tests/gate", f"--ignore={timed}", "-n", "2", "--dist", "loadfile")
        own_tests(session, timed)
    elif rest[0].startswith("tests/"):
        own_tests(session, *rest)
    else:
        own_tests(session, "tests/gate", *rest)
    if "--docs" in session.posargs:
        session.run(PYTHON, "tools/gate_examples.py", external=True)


@nox.session
def docs(session: nox.Session) -> None:
    """The documentation into site/; a broken link, picture or reference fails. `-- --serve`: at http://127.0.0.1:8000 while it is written."""
    prepare(session)
    session.env["NO_MKDOCS_2_WARNING"] = "1"  # an advertisement of the theme's makers, not about these pages
    if session.posargs == ["--serve"]:
        tool(session, "mkdocs", "serve")
    else:
        tool(session, "mkdocs", "build", "--strict", "--clean", *session.posargs)


@nox.session
def newcomer(session: nox.Session) -> None:
    """From this tree's wheel, with a foreign model: the README's first commands in an empty directory; then those of every page.

    `-- PAGE …`: of these pages alone.
    """
    one_thread(session)
    if not session.posargs:
        tool(session, "tests.wheel.newcomer")
    tool(session, "tests.wheel.pages", *session.posargs)


READERS = ("pydantic", "ruamel.yaml", "typer", "rich", "jinja2", "packaging", "filelock", "tomli")
"""What commands need that only read records."""


def reader(session: nox.Session) -> str:
    """Python of a small environment without torch, made in seconds: jobs that hold a token install no more than they use."""
    python = environment("reader")
    wanted = nox.project.load_toml(ROOT / "pyproject.toml")["project"]["dependencies"]
    _run(python, "-m", "pip", "install", "-q", *(w for w in wanted if w.partition(">")[0].lower() in READERS))
    return python


def given(session: nox.Session, name: str) -> str:
    """An environment variable that a session cannot do without."""
    return os.environ.get(name) or session.error(f"{name} is not set; see the docstring of this session in noxfile.py")


def own(session: nox.Session, module: str) -> None:
    """Run a job's own module by the Python that runs this file: the standard library is all it needs."""
    session.run(sys.executable, "-m", f"tools.ci.{module}", *session.posargs, external=True)


@nox.session
def admit(session: nox.Session) -> None:
    """On GitHub: whether a run may use the GPU runner, and what it is compared with."""
    own(session, "admit")


@nox.session
def sweep(session: nox.Session) -> None:
    """On a self-hosted runner: remove what the job left."""
    own(session, "sweep")


@nox.session
def comment(session: nox.Session) -> None:
    """The comment of a gate whose records in MPCHECK_COMMENT_RECORDS are not trusted, as Markdown in MPCHECK_COMMENT.

    MPCHECK_SETTINGS: the default branch's mpcheck.toml, where there is one, whose model and systems commands may name.
    """
    records, out = given(session, "MPCHECK_COMMENT_RECORDS"), given(session, "MPCHECK_COMMENT")
    history = ["--history", os.environ["MPCHECK_HISTORY"]] if os.environ.get("MPCHECK_HISTORY") else []
    ended = ["--conclusion", os.environ["MPCHECK_CONCLUSION"]] if os.environ.get("MPCHECK_CONCLUSION") else []
    named = os.environ.get("MPCHECK_SETTINGS", "")
    settings = ["--settings", named] if named and Path(named).is_file() else []
    session.run(reader(session), "-m", "mpcheck", "comment", records, "--out", out, *history, *ended, *settings, external=True)


@nox.session
def post_comment(session: nox.Session) -> None:
    """On GitHub: put MPCHECK_COMMENT on the pull request that the event names."""
    own(session, "post_comment")


@nox.session
def record(session: nox.Session) -> None:
    """Append the verdicts of every nightly gate below MPCHECK_RECORDS to the histories in MPCHECK_HISTORY."""
    history, records = given(session, "MPCHECK_HISTORY"), given(session, "MPCHECK_RECORDS")
    python = reader(session)
    for head in sorted(Path(records).glob("**/head")):
        if not str(head.relative_to(records)).isprintable():  # nox prints the command, and a job with a token has a log that is obeyed
            session.error("an artifact holds a directory with an unprintable name; remove it")
        session.run(python, "-m", "mpcheck", "history", "record", str(head), "--dir", history, "--kind", "nightly", "--untrusted", external=True)


@nox.session
def publish(session: nox.Session) -> None:
    """On GitHub: commit what has been appended to the histories in MPCHECK_HISTORY to branch `history`."""
    own(session, "publish_history")
