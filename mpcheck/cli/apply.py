"""``mpcheck apply``: write a model that runs by a policy, and what it was measured to err by."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mpcheck._errors import InputError
from mpcheck._files.kinds import RECORD_OF_POLICY, WITH_POLICY
from mpcheck._files.outputs import Output, model_and_systems, refuse_outputs
from mpcheck._names import REFERENCE_BACKEND
from mpcheck._text import say
from mpcheck.cli.options import shared

POLICY = "built-in policy, or a YAML file; `mpcheck policy --list` shows the built-in ones"


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
    refuse_outputs(
        [Output(out, WITH_POLICY, "--out"), Output(out.with_name(out.name + ".policy.json"), RECORD_OF_POLICY, "--out")],
        model_and_systems(model, [system] if system else []),
    )
    from mpcheck.sessions.policy.deploy import deploy
    from mpcheck.sessions.run import stderr_progress

    for line in deploy(model, chosen, out, system, device, backend, cache, seed, stderr_progress):
        say(line)


__all__ = ["InputError", "apply"]
