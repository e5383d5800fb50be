"""One profile session: maps, call times and the sweep, and the files that they are written into."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, replace
from pathlib import Path

from mpcheck._errors import InputError
from mpcheck._io import write_text
from mpcheck._outputs import model_and_systems, of_session, refuse_directory, refuse_outputs
from mpcheck.bench.keys import MODEL, MODEL_WORK, BenchKey, Work
from mpcheck.bench.profile.alternate import alternate
from mpcheck.bench.profile.profiler import finished, profile_model
from mpcheck.bench.profile.sweep import sweep
from mpcheck.bench.workloads import UnsupportedError, Workloads
from mpcheck.findings import Finding, Findings, write_findings
from mpcheck.report.cost_rows import cost_findings
from mpcheck.report.finish import head
from mpcheck.report.profile import markdown
from mpcheck.report.profile_findings import latency_findings, map_findings, sweep_findings, unsupported_finding
from mpcheck.report.profile_pictures import Samples, write_pictures
from mpcheck.session import Options, Session

LATENCY_SECONDS = 3.0  # of calls, for the distributions of each work


@dataclass(frozen=True)
class Plan:
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


def profile_session(options: Options, plan: Plan, out: Path) -> tuple[Findings, list[Path]]:
    """Measure, and write ``profile.json``, ``profile.md``, pictures and traces; of several systems the first one counts.

    Raises:
        InputError: bad options, or nothing could be measured; then no record is written.
    """
    began = time.perf_counter()
    if wrong := [w for w in plan.works if w not in MODEL_WORK]:
        raise InputError(f"--work {wrong[0]}: a profile is of the whole model; choose from {', '.join(MODEL_WORK)}")
    refuse_directory(out, "--out")
    refuse_outputs(of_session("profile", out), model_and_systems(options.model, options.systems))
    session = Session(options)
    if not session.systems:
        raise InputError(f"no built-in system fits the elements of {options.model}; name one with --system FILE")
    system = next(iter(session.systems))
    session.systems = {system: session.systems[system]}
    workloads, found, samples, files = (
        Workloads(session, (plan.batch,), plan.works),
        list[Finding](),
        dict[tuple[str, str], dict[str, list[float]]](),
        [],
    )
    for fmt in options.formats:
        for work in plan.works:
            keys = [BenchKey(system, plan.batch, MODEL, backend, fmt, work) for backend in options.backends]
            for key in keys:
                options.progress(f"profile: {key.id}")
                mapped, trace = _map(workloads, key, plan, out)
                found += mapped
                files += trace
            taken = _latencies(workloads, keys, plan.latency_seconds)
            if taken:
                samples[fmt, work] = taken
                found += latency_findings(keys[0], taken)
        if fmt == options.formats[0] and any(f.verdict == "pass" for f in found):
            options.progress("profile: counted cost of every block")
            found += cost_findings(workloads, system, plan.batch, fmt)
    if plan.sweep_seconds is not None:
        points = sweep(replace(options, systems=()), budget=plan.sweep_seconds)
        found += sweep_findings(points, options.backends, options.formats[0], options.seed)
    if not any(f.verdict == "pass" for f in found):
        raise InputError(f"nothing was measured: {next((f.reason for f in found), 'no work was asked for')}")
    run = Findings(suite="profile", findings=found, **head(options, session, time.perf_counter() - began))
    return run, write(run, samples, out) + files


def _map(workloads: Workloads, key: BenchKey, plan: Plan, out: Path) -> tuple[list[Finding], list[Path]]:
    name = "-".join(["profile-trace", key.backend, key.format, key.work.replace("+", "-")])
    trace = out / f"{name}.json.gz"
    try:
        return map_findings(profile_model(workloads, key, plan.warmup, plan.calls, trace)), [trace]
    except UnsupportedError as reason:
        return [unsupported_finding(key, str(reason))], []


def _latencies(workloads: Workloads, keys: list[BenchKey], seconds: float) -> dict[str, list[float]]:
    """Seconds of calls by backend, the backends taking turns; those that cannot run are left out, as their maps said."""
    with contextlib.ExitStack() as stack:
        calls = {}
        for key in keys:
            with contextlib.suppress(UnsupportedError):
                calls[key.backend] = finished(stack.enter_context(workloads.opened(key)))
        return alternate(calls, seconds) if calls else {}


def write(run: Findings, samples: Samples, out: Path) -> list[Path]:
    """Records, Markdown and pictures.

    Raises:
        InputError: the directory cannot be written.
    """
    write_findings(out / "profile.json", run)
    write_text(out / "profile.md", markdown(run))
    return [out / "profile.json", out / "profile.md", *write_pictures(out, run, samples)]


__all__ = ["Plan", "profile_session", "write"]
