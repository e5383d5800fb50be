"""``mpcheck bench``: latency and cost against the stored baseline, or base against head."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from mpcheck._errors import InputError
from mpcheck._text import say
from mpcheck.records.names import REFERENCE_BACKEND
from mpcheck.sessions.launch import launch


def bench(
    model: Annotated[
        str, typer.Argument(help="builtin:hco, recipe:NAME, FILE.model, ARCH.yaml[+WEIGHTS], mace_mp:NAME or mace_off:NAME")
    ] = "builtin:hco",
    system: Annotated[list[str] | None, typer.Option("--system", help="builtin:NAME[:N] or FILE[@SLICE]; default: the first default one")] = None,
    device: Annotated[str, typer.Option("--device", help="cpu, cuda or cuda:N")] = "cpu",
    backend: Annotated[list[str] | None, typer.Option("--backend", help="e3nn, cueq, …; default: e3nn and cueq")] = None,
    format: Annotated[list[str] | None, typer.Option("--format", help="default: float32 on a CPU, all on CUDA")] = None,
    block: Annotated[list[str] | None, typer.Option("--block", help="glob pattern, or model; default: all")] = None,
    batch: Annotated[list[str] | None, typer.Option("--batch", help="repeat a system's frames so often in one batch; default: 1")] = None,
    work: Annotated[list[str] | None, typer.Option("--work", help="forward, forward+backward, energy, energy+forces; default: all")] = None,
    against: Annotated[str, typer.Option("--against", help="a Python environment, or a commit of this repository: base against head")] = "",
    baselines: Annotated[Path | None, typer.Option("--baselines", help="directory of stored baselines")] = None,
    out: Annotated[Path, typer.Option("--out", help="directory of the records and reports")] = Path("reports"),
    require: Annotated[
        list[str] | None, typer.Option("--require", help="cuda, cueq, cueq-kernels, baseline or a backend: missing is a failure")
    ] = None,
    allow_degraded: Annotated[
        list[str] | None, typer.Option("--allow-degraded", help="backend, or BACKEND:BLOCK, that something else may compute")
    ] = None,
    launches: Annotated[int, typer.Option("--launches", help="at least so many processes")] = 0,
    seconds: Annotated[float, typer.Option("--seconds", help="start no further launch after so many")] = 0.0,
    margin: Annotated[float, typer.Option("--margin", help="relative slow-down that is let be, e.g. 0.02")] = 0.0,
    threads: Annotated[int, typer.Option("--threads", help="of each launch")] = 1,
    flush_l2: Annotated[bool, typer.Option("--flush-l2", help="clear a GPU's L2 cache before every timed call")] = False,
    calibrate: Annotated[str, typer.Option("--calibrate", help="stored or ab: measure how often identical code is called slower here")] = "",
    seed: Annotated[int, typer.Option("--seed", help="of built-in systems", min=0)] = 0,
    shard: Annotated[str, typer.Option("--shard", help="K/N: part K of N of the benchmarks; `mpcheck merge` puts the parts together")] = "",
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="one line per benchmark")] = False,
) -> None:
    """Time every block and the whole model, count what they cost, and say what got slower."""
    options = {
        "model": model, "system": system, "device": device, "backend": backend, "format": format, "block": block, "require": require,
        "allow-degraded": allow_degraded, "baselines": baselines, "batch": batch, "work": work, "against": against, "launches": launches,
        "seconds": seconds, "margin": margin, "threads": str(threads), "seed": seed, "flush-l2": flush_l2, "shard": shard,
    }  # fmt: skip
    if not calibrate:
        raise typer.Exit(launch("bench", out, options, verbose=verbose))
    if calibrate not in ("stored", "ab"):
        raise InputError(f"--calibrate {calibrate}: choose stored or ab")
    from mpcheck.bench.keys import BLOCK_WORK, MODEL_WORK, check_work
    from mpcheck.formats import get_format
    from mpcheck.sessions.bench.calibrate import calibrate as measure
    from mpcheck.sessions.bench.options import BenchOptions, parse_batches
    from mpcheck.sessions.run import Options, clear_progress, stderr_progress

    session = Options(
        model=model, systems=tuple(system or ()), device=device, backends=tuple(backend or (REFERENCE_BACKEND,)),
        formats=tuple(get_format(name).name for name in format or ()), blocks=tuple(block or ()), seed=seed, progress=stderr_progress,
    )  # fmt: skip
    asked = BenchOptions(
        session=session, batches=parse_batches(batch or ("1",)), works=check_work(tuple(work or ())) or (*BLOCK_WORK, *MODEL_WORK),
        against=against, directory=baselines or Path("baselines"), launches=launches, threads=threads, flush_l2=flush_l2,
    )  # fmt: skip
    mode: Literal["stored", "ab"] = "stored" if calibrate == "stored" else "ab"
    try:
        path, rate = measure(mode, asked)
    finally:
        clear_progress()
    say(f"false alarms ({mode}): {rate.reason}")
    say(f"wrote {path}")
