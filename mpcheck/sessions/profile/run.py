"""One profile session: maps, call times and the sweep, and the files that they are written into."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from mpcheck._errors import InputError
from mpcheck._files.io import write_text
from mpcheck._files.outputs import model_and_systems, refuse_directory, refuse_outputs
from mpcheck._names import COST_MODEL, PROFILE, REFERENCE_BACKEND, SWEEP
from mpcheck._raised import Raised, attempt
from mpcheck._unsupported import Unsupported
from mpcheck.bench.keys import MODEL, MODEL_WORK, BenchKey, Work
from mpcheck.bench.profile.alternate import alternate
from mpcheck.bench.profile.profiler import finished, profile_model
from mpcheck.bench.profile.sweep import sweep
from mpcheck.bench.work.workload import UnsupportedError
from mpcheck.bench.work.workloads import Workloads
from mpcheck.formats import FLOAT32
from mpcheck.records.document import Records, write_records
from mpcheck.records.record import Part, Planned, Record
from mpcheck.report.pictures.distributions import Samples
from mpcheck.report.pictures.sessions import write_profile_pictures
from mpcheck.sessions.finish import Accounts, begin, head, withdraw
from mpcheck.sessions.profile import SESSION
from mpcheck.sessions.profile.cost_rows import cost_findings
from mpcheck.sessions.profile.findings import latency_findings, map_findings, sweep_findings, unsupported_finding
from mpcheck.sessions.profile.tables import maps, markdown, of_check
from mpcheck.sessions.run import Options, Session

LATENCY_SECONDS = 3.0  # of calls, for the distributions of each work


@dataclass(frozen=True)
class ProfilePlan:
    """What a profile session measures.

    Attributes:
        works: of the whole model; batch: how often the system is repeated in one batch.
        warmup, calls: of each map; see :func:`mpcheck.bench.profile.profiler.profile_model`.
        sweep_seconds: for the sweep over batch sizes and angular orders; None for none.
        latency_seconds: of calls, for the distributions of each work.
    """

    works: tuple[Work, ...] = MODEL_WORK
    batch: int = 1
    warmup: int = 5
    calls: int = 24
    sweep_seconds: float | None = None
    latency_seconds: float = LATENCY_SECONDS


def profile_session(options: Options, plan: ProfilePlan, out: Path) -> tuple[Records, list[Path]]:
    """Measure, and write ``profile.json``, ``profile.md``, pictures and traces; of several systems the first one counts.

    Raises:
        InputError: bad options, or nothing could be measured; then no record is written.
    """
    began = time.perf_counter()
    if wrong := [w for w in plan.works if w not in MODEL_WORK]:
        raise InputError(f"--work {wrong[0]}: a profile is of the whole model; choose from {', '.join(MODEL_WORK)}")
    refuse_directory(out, "--out")
    refuse_outputs(SESSION.outputs(out), model_and_systems(options.model, options.systems))
    session = Session(options)
    if not session.systems:
        raise InputError(f"no built-in system fits the elements of {options.model}; name one with --system FILE")
    system = next(iter(session.systems))
    session.systems = {system: session.systems[system]}
    measured = ProfileState(Workloads(session, (plan.batch,), plan.works), plan, out)
    parts = list(_parts(measured, options, system))
    planned, records = [one for one, _ in parts], list[Record]()
    running = Accounts(SESSION.name, planned, "running")
    begin(running, session, str(out))
    for one, work in parts:
        did = attempt(work)
        if isinstance(did, Raised) and isinstance(did.error, InputError):
            withdraw(str(out), SESSION.name)
            raise did.error
        rows = [unsupported_finding(measured.last, Unsupported("raised", f"raised {did.text}"))] if isinstance(did, Raised) else did
        records += [f.model_copy(update={"key": one.key, "part": Part(number=i, of=len(rows))}) for i, f in enumerate(rows, 1)]
    if not any(f.verdict in ("pass", "fail") for f in records):
        withdraw(str(out), SESSION.name)
        raise InputError(f"nothing was measured: {next((f.reason for f in records), 'no work was asked for')}")
    accounts = replace(running, state="complete")
    run = Records(records=records, **{**head(options, session, time.perf_counter() - began), **accounts.fields})
    return run, write(run, measured.samples, out) + measured.files


@dataclass
class ProfileState:
    """What the parts of a session share: what they measure on, and what they leave beside their findings."""

    workloads: Workloads
    plan: ProfilePlan
    out: Path
    samples: dict[tuple[str, str], dict[str, list[float]]] = field(default_factory=dict)
    files: list[Path] = field(default_factory=list)
    last: BenchKey = field(default_factory=lambda: BenchKey("", 1, MODEL, REFERENCE_BACKEND, FLOAT32.name, "energy"))
    any: bool = False


def _parts(measured: ProfileState, options: Options, system: str) -> Iterator[tuple[Planned, Callable[[], list[Record]]]]:
    """The session's work: a map of every backend for each format and work, costs of every block, the sweep."""
    plan = measured.plan
    for fmt in options.formats:
        for work in plan.works:
            keys = [BenchKey(system, plan.batch, MODEL, backend, fmt, work) for backend in options.backends]
            yield (
                Planned(key=f"{system}-{fmt}-{work}", check=PROFILE, subject=MODEL, format=fmt, system=system, variant=work),
                partial(_maps, measured, keys),
            )
    fmt = options.formats[0]
    yield Planned(key="costs", check=COST_MODEL, subject=MODEL, format=fmt, system=system), partial(_costs, measured, system, fmt)
    if plan.sweep_seconds is not None:
        yield Planned(key="sweep", check=SWEEP, subject=MODEL, format=fmt), partial(_sweep, options, plan.sweep_seconds)


def _maps(measured: ProfileState, keys: list[BenchKey]) -> list[Record]:
    """Maps of one format and work, and the distributions of its calls."""
    records: list[Record] = []
    for key in keys:
        measured.last = key
        measured.workloads.session.options.progress(f"profile: {key.id}")
        mapped, trace = _map(measured.workloads, key, measured.plan, measured.out)
        records += mapped
        measured.files += trace
    taken = _latencies(measured.workloads, keys, measured.plan.latency_seconds)
    if taken:
        measured.samples[keys[0].format, keys[0].work] = taken
        records += latency_findings(keys[0], taken)
    measured.any = measured.any or any(f.verdict == "pass" for f in records)
    return records


def _costs(measured: ProfileState, system: str, fmt: str) -> list[Record]:
    if not measured.any:
        return [Record(check=COST_MODEL, subject=MODEL, format=fmt, system=system, verdict="unsupported", reason="nothing could be measured")]
    measured.workloads.session.options.progress("profile: counted cost of every block")
    return cost_findings(measured.workloads, system, measured.plan.batch, fmt)


def _sweep(options: Options, seconds: float) -> list[Record]:
    points = sweep(replace(options, systems=()), budget=seconds)
    return sweep_findings(points, options.backends, options.formats[0], options.seed)


def _map(workloads: Workloads, key: BenchKey, plan: ProfilePlan, out: Path) -> tuple[list[Record], list[Path]]:
    name = "-".join(["profile-trace", key.backend, key.format, key.work.replace("+", "-")])
    trace = out / f"{name}.json.gz"
    try:
        return map_findings(profile_model(workloads, key, plan.warmup, plan.calls, trace)), [trace]
    except UnsupportedError as reason:
        return [unsupported_finding(key, reason.why)], []


def _latencies(workloads: Workloads, keys: list[BenchKey], seconds: float) -> dict[str, list[float]]:
    """Seconds of calls by backend, the backends taking turns; those that cannot run are left out, as their maps said."""
    with contextlib.ExitStack() as stack:
        calls = {}
        for key in keys:
            with contextlib.suppress(UnsupportedError):
                calls[key.backend] = finished(stack.enter_context(workloads.opened(key)))
        return alternate(calls, seconds) if calls else {}


def write(run: Records, samples: Samples, out: Path) -> list[Path]:
    """Records, Markdown and pictures.

    Raises:
        InputError: the directory cannot be written.
    """
    records, summary = out / f"{SESSION.name}.json", out / f"{SESSION.name}.md"
    write_records(records, run)
    write_text(summary, markdown(run))
    pictures = write_profile_pictures(out, run, maps(run), samples, of_check(run, SWEEP))
    return [records, summary, *pictures]


__all__ = ["ProfilePlan", "profile_session", "write"]
