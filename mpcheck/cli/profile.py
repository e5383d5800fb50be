"""``mpcheck profile``: where a model's time goes, block by block, and e3nn against the other backends."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mpcheck._text import say, say_lines
from mpcheck.formats import FLOAT32
from mpcheck.records.names import DEFAULT_BACKENDS

Model = Annotated[str, typer.Argument(help="builtin:hco, recipe:NAME, FILE.model, ARCH.yaml[+WEIGHTS], mace_mp:NAME or mace_off:NAME")]
System = Annotated[str | None, typer.Option("--system", help="builtin:NAME[:N] or FILE[@SLICE]; default: the first built-in one that fits")]
Works = Annotated[list[str] | None, typer.Option("--work", help="energy or energy+forces; default: both")]
Backends = Annotated[list[str] | None, typer.Option("--backend", help="e3nn, cueq, …; default: e3nn and cueq")]
Formats = Annotated[list[str] | None, typer.Option("--format", help="default: float32")]


def profile(
    model: Model = "builtin:hco",
    system: System = None,
    device: Annotated[str, typer.Option("--device", help="cpu, cuda or cuda:N")] = "cpu",
    backend: Backends = None,
    number_format: Formats = None,
    work: Works = None,
    batch: Annotated[int, typer.Option("--batch", help="how often the system is repeated in one batch", min=1, max=100_000)] = 1,
    out: Annotated[Path, typer.Option("--out", help="directory of the records, tables, pictures and traces")] = Path("reports"),
    warmup: Annotated[int, typer.Option("--warmup", help="calls before anything is measured", min=0)] = 5,
    calls: Annotated[int, typer.Option("--calls", help="profiled calls of each map, at most", min=1)] = 24,
    sweep: Annotated[bool, typer.Option("--sweep", help="also time the backends over batch size and l_max, on a small model")] = False,
    sweep_seconds: Annotated[float, typer.Option("--sweep-seconds", help="for the sweep; what does not fit is named", min=1)] = 80.0,
    allow_degraded: Annotated[
        list[str] | None, typer.Option("--allow-degraded", help="backend, or BACKEND:BLOCK, that something else may compute")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="of built-in systems", min=0)] = 0,
) -> None:
    """Map a model's time to its blocks: host, kernels, launches, forward and backward, per backend; with a trace for Perfetto."""
    # torch and mace take seconds to import; a wrong option must not
    from mpcheck.bench.keys import MODEL_WORK, check_work
    from mpcheck.records.outcome import outcome
    from mpcheck.report.standing import standing
    from mpcheck.sessions.profile.run import Plan, profile_session
    from mpcheck.sessions.profile.tables import render
    from mpcheck.sessions.run import Options

    options = Options(
        model=model, systems=(system,) if system else (), device=device, backends=tuple(dict.fromkeys(backend or DEFAULT_BACKENDS)),
        formats=tuple(dict.fromkeys(number_format or (FLOAT32.name,))), seed=seed,
        allow_degraded=tuple(allow_degraded or ()), progress=lambda text: say(f"{text} …", error=True),
    )  # fmt: skip
    plan = Plan(check_work(tuple(work or MODEL_WORK)), batch, warmup, calls, sweep_seconds if sweep else None)
    run, files = profile_session(options, plan, out)
    say_lines(render(run))
    for line in standing(run)[1:]:
        say(line)
    say(f"written to {out}: {', '.join(path.name for path in files)}; open the traces at ui.perfetto.dev")
    raise typer.Exit(1 if outcome(run) in ("fail", "crashed") else 0)
