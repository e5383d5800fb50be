"""``mpcheck gate`` and ``mpcheck init``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from mpcheck._errors import InputError
from mpcheck._text import fence, log, put, say, shell, terminal

Names = list[str] | None


def gate(
    config: Annotated[Path | None, typer.Option("--config", help="settings; default: mpcheck.toml in the root")] = None,
    root: Annotated[Path | None, typer.Option("--root", help="of the repository; default: MPCHECK_GATE_ROOT or here")] = None,
    base: Annotated[str, typer.Option("--base", help="commit to compare with, or none")] = "",
    out: Annotated[Path | None, typer.Option("--out", help="directory of records and reports; default: MPCHECK_GATE_OUT or reports/gate")] = None,
    install: Annotated[str, typer.Option("--install", help="command that installs the repository into each side's environment")] = "",
    model: Annotated[str, typer.Option("--model", help="as `mpcheck run` takes it")] = "",
    system: Annotated[Names, typer.Option("--system", help="repeat for several")] = None,
    backend: Annotated[Names, typer.Option("--backend", help="repeat for several")] = None,
    format: Annotated[Names, typer.Option("--format", help="repeat for several")] = None,
    block: Annotated[Names, typer.Option("--block", help="glob pattern; repeat for several")] = None,
    session: Annotated[Names, typer.Option("--session", help="precision, symmetry, audit, bench or profile; repeat for several")] = None,
    device: Annotated[str, typer.Option("--device", help="cpu, cuda or cuda:N")] = "",
    margin: Annotated[float | None, typer.Option("--margin", help="tolerated relative slow-down", min=0)] = None,
    baselines: Annotated[str, typer.Option("--baselines", help="directory of stored baselines, relative to the root")] = "",
    require: Annotated[Names, typer.Option("--require", help="cuda, cueq, cueq-kernels, baseline or a backend: missing is a failure")] = None,
    allow_degraded: Annotated[Names, typer.Option("--allow-degraded", help="backend, or BACKEND:BLOCK, that something else may compute")] = None,
    only_new: Annotated[bool | None, typer.Option("--only-new/--no-only-new", help="failures that base has, too, leave it green")] = None,
    reference: Annotated[str, typer.Option("--reference", help="base or own: whose float64 values head is judged against")] = "",
    history: Annotated[str, typer.Option("--history", help="directory of the gate's history, relative to the root")] = "",
    timeout: Annotated[float | None, typer.Option("--timeout", help="seconds that one session of one side may take")] = None,
    workers: Annotated[int | None, typer.Option("--workers", help="processes of the precision, symmetry and audit sessions", min=0)] = None,
    bench_block: Annotated[Names, typer.Option("--bench-block", help="of the bench session alone; repeat for several")] = None,
    bench_format: Annotated[Names, typer.Option("--bench-format", help="of the bench session alone; repeat for several")] = None,
    bench_launches: Annotated[int | None, typer.Option("--bench-launches", help="at least so many pairs of processes", min=0)] = None,
    bench_seconds: Annotated[float | None, typer.Option("--bench-seconds", help="start no further pair after so many", min=0)] = None,
    bench_threads: Annotated[int | None, typer.Option("--bench-threads", help="of each launch", min=1)] = None,
    allow: Annotated[Names, typer.Option("--allow", help="differences from base that are told, not red; default: MPCHECK_GATE_ALLOW")] = None,
) -> None:
    """Gate a change: head (the working tree) against base, all chosen sessions, one verdict.

    Options go before MPCHECK_GATE_… variables, both before base's mpcheck.toml, and that before head's. Settings and files that decide are
    base's; what head's would let through is red, unless --allow names it: settings, baselines, model, structures, mpcheck, comparison,
    moved, gone.

    Exit status: 0 green, 1 red, 2 bad input or nothing judged.
    """
    from mpcheck.gate.asked import asked, first_settings
    from mpcheck.gate.github import append, remarks, repeat
    from mpcheck.gate.run import gate as run_gate
    from mpcheck.gate.settings import OUT_VARIABLE, ROOT_VARIABLE
    from mpcheck.reference.store import default_cache

    where = root or Path(os.environ.get(ROOT_VARIABLE) or ".")
    options = {
        "base": base, "install": install, "model": model, "systems": system, "backends": backend, "formats": format, "blocks": block,
        "sessions": session, "device": device, "margin": margin, "baselines": baselines, "require": require, "only-new": only_new,
        "reference": reference, "history": history, "timeout": timeout, "workers": workers, "bench.blocks": bench_block,
        "bench.formats": bench_format, "bench.launches": bench_launches, "bench.seconds": bench_seconds, "bench.threads": bench_threads,
        "allow-degraded": allow_degraded,
    }  # fmt: skip
    what = asked(config, options, allow or (), os.environ)
    settings = first_settings(where, what, options, os.environ)
    target = (out or Path(os.environ.get(OUT_VARIABLE) or where / "reports" / "gate")).resolve()
    try:
        outcome = run_gate(where, what, settings, target, default_cache().resolve(), lambda text: say(log(f"gate: {text}")))
    except InputError as error:
        append("GITHUB_STEP_SUMMARY", f"## Gate: bad input\n\n{fence(terminal(error), 'text')}\n")
        raise
    on_github = os.environ.get("GITHUB_ACTIONS") == "true"
    for remark in remarks(outcome):
        put(remark.command) if on_github else say(remark.text)
    say(log(outcome.headline))
    if outcome.failures and outcome.results is not None:
        place = shell([*(["--root", str(root)] if root is not None else []), *(["--config", str(config)] if config is not None else [])])
        say(f"repeat the first, {repeat(outcome.results, outcome.failures[0])} {place}".rstrip())
    for crash in outcome.crashes:
        say(log(f"  {crash.text}"))
    say(f"wrote {target}: report.html, report.md, records of head" + (" and base" if outcome.base else ""))
    raise typer.Exit(outcome.code)


def init(
    directory: Annotated[Path, typer.Option("--dir", help="of the repository")] = Path(),
    model: Annotated[str, typer.Option("--model", help="as `mpcheck run` takes it; a file relative to the repository")] = "builtin:hco",
    device: Annotated[str, typer.Option("--device", help="cpu, cuda or cuda:N")] = "cpu",
    ci: Annotated[str, typer.Option("--ci", help="github, gitlab, slurm or cron")] = "github",
    install: Annotated[str, typer.Option("--install", help="command that installs the repository; default: what its files suggest")] = "",
    baseline: Annotated[bool, typer.Option("--baseline/--no-baseline", help="measure and store a first baseline (minutes)")] = True,
    force: Annotated[bool, typer.Option("--force", help="overwrite mpcheck.toml and the CI file; never a baseline")] = False,
) -> None:
    """Write mpcheck.toml, a file for your CI system and a first baseline; say what to commit."""
    from mpcheck.gate.init import initialise

    raise typer.Exit(initialise(directory, model, device, ci, install, baseline, force, say))
