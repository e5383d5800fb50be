"""``mpcheck apply``: write a model that runs by a policy, and what it was measured to err by."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mpcheck._errors import InputError
from mpcheck._files.io import is_there, read_text, sha256_file
from mpcheck._files.kinds import JSON
from mpcheck._files.outputs import Output, model_and_systems, refuse_outputs
from mpcheck._names import REFERENCE_BACKEND
from mpcheck._text import say
from mpcheck.cli.options import shared

ARCHIVE = "a model or an archive"
"""What a model's file is told as, see :mod:`mpcheck._files.kinds`."""
BESIDE = ".policy.json"
POLICY = "built-in policy, or a YAML file; `mpcheck policies` shows the built-in ones"


@shared("model", "system", "device", "cache", "seed")
def apply(
    model: str,
    policy: Annotated[str, typer.Option("--policy", help=POLICY)],
    out: Annotated[Path, typer.Option("--out", "-o", help="file of the model; its policy and errors are written beside it")],
    system: str,
    device: str,
    cache: Path | None,
    seed: int,
    backend: Annotated[str, typer.Option("--backend", help="that computes it")] = REFERENCE_BACKEND,
) -> None:
    """Write a model that runs by a policy; `mpcheck.policy.calculator(FILE)` is MACE's calculator around it."""
    from mpcheck.policy.rules import get_policy

    chosen = get_policy(policy)
    told = out.with_name(out.name + BESIDE)
    refuse_outputs([Output(out, ARCHIVE, "--out"), Output(told, JSON, "--out")], model_and_systems(model, [system] if system else []))
    if is_there(out) and not is_there(told):
        raise InputError(f"--out {out} is a model of somebody's, for no {told.name} lies beside it; give another name, or remove it first")
    if is_there(out) and f'"{sha256_file(out, "model")}"' not in read_text(told, "policy file"):
        raise InputError(f"--out {out} is not the model that {told.name} tells of (its sha256 differs); give another name, or remove it first")
    from mpcheck._progress import PROGRESS
    from mpcheck.sessions.policy.deploy import deploy

    for line in deploy(model, chosen, out, system, device, backend, cache, seed, PROGRESS):
        say(line)


def policies() -> None:
    """List the built-in policies."""
    from mpcheck._console import Grid
    from mpcheck.policy.rules import builtin

    grid = Grid("built-in policies; a YAML file of your own has the fields of one", pad_edge=True)
    for name in ("built-in", "what runs in what"):
        grid.column(name, overflow="fold")
    for policy in builtin().values():
        grid.row([policy.name, policy.title])
    grid.show(120)
