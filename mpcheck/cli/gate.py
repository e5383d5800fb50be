"""``mpcheck gate`` and ``mpcheck init``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from mpcheck._errors import InputError
from mpcheck._text import fence, log, put, say, shell, terminal
from mpcheck.cli.options import add_parameters, setting, setting_word
from mpcheck.gate.settings import DECLARED
from mpcheck.sessions.options import DEVICE

PIN = "OWNER/REPOSITORY@COMMIT of mpcheck, for a workflow on a GPU runner; default: what this one was installed from"
ALLOW = "differences from base that are told, not red; default: MPCHECK_GATE_ALLOW"


def gate(
    config: Annotated[Path | None, typer.Option("--config", help="settings; default: mpcheck.toml in the root")] = None,
    root: Annotated[Path | None, typer.Option("--root", help="of the repository; default: MPCHECK_GATE_ROOT or here")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="directory of records and reports; default: MPCHECK_GATE_OUT or reports/gate")] = None,
    allow: Annotated[list[str] | None, typer.Option("--allow", help=ALLOW)] = None,
    **settings: Any,
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
    options = {name: settings[word] for name, word in WORDS.items()}
    what = asked(config, options, allow or (), os.environ)
    first = first_settings(where, what, options, os.environ)
    target = (out or Path(os.environ.get(OUT_VARIABLE) or where / "reports" / "gate")).resolve()
    try:
        outcome = run_gate(where, what, first, target, default_cache().resolve(), lambda text: say(log(f"gate: {text}")))
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


WORDS = {name: setting_word(name, one) for name, one in DECLARED.items()}
"""By the name of a setting, the parameter that pins it."""
add_parameters(gate, [setting(WORDS[name], one) for name, one in DECLARED.items()])


def init(
    directory: Annotated[Path, typer.Option("--dir", help="of the repository")] = Path(),
    model: Annotated[str, typer.Option("--model", help="as `mpcheck run` takes it; a file relative to the repository")] = "builtin:hco",
    device: Annotated[str, typer.Option("--device", help=DEVICE.help)] = "cpu",
    ci: Annotated[str, typer.Option("--ci", help="github, gitlab, slurm or cron")] = "github",
    install: Annotated[str, typer.Option("--install", help="command that installs the repository; default: what its files suggest")] = "",
    baseline: Annotated[bool, typer.Option("--baseline/--no-baseline", help="measure and store a first baseline (minutes)")] = True,
    pin: Annotated[str, typer.Option("--pin", help=PIN)] = "",
    run: Annotated[bool, typer.Option("--run/--no-run", help="gate once by what was written (minutes)")] = True,
    force: Annotated[bool, typer.Option("--force", help="overwrite mpcheck.toml and the CI file; never a baseline")] = False,
) -> None:
    """Write mpcheck.toml, a file for your CI system and a first baseline; gate once; say what to commit."""
    from mpcheck.gate.init import initialise

    def once(where: Path) -> int:
        settings: dict[str, Any] = {**dict.fromkeys(WORDS.values()), WORDS["base"]: "none"}
        try:
            gate(root=where, **settings)
        except typer.Exit as ended:
            return int(ended.exit_code)
        return 0

    raise typer.Exit(initialise(directory, model, device, ci, install, baseline, force, say, pin, once if run else None))
