"""The command that explains one cell."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mpcheck._raised import evaluated
from mpcheck._text import say_lines
from mpcheck.cli.options import shared
from mpcheck.sessions.options import MODELS

CELL = "as records print it: SYSTEM/BLOCK-BACKEND-FORMAT-DIRECTION"
OPS = "which operation of the block errs by more than its own noise scale; without it, where the allowed error comes from"


@shared("device", "cache", "seed")
def explain(
    cell: Annotated[str, typer.Argument(help=CELL)],
    device: str,
    cache: Path | None,
    seed: int,
    model: Annotated[str, typer.Option("--model", help=MODELS)] = "builtin:hco",
    ops: Annotated[bool, typer.Option("--ops", help=OPS)] = False,
) -> None:
    """Explain one cell: where its allowed error comes from, or which operation of its block errs."""
    from mpcheck.sessions.explain import explain as explain_block
    from mpcheck.sessions.operations import key_of, operations

    if ops:
        say_lines(evaluated(lambda: operations(model, cell, cache, seed, device), model))
        return
    key = key_of(cell)
    say_lines(evaluated(lambda: explain_block(model, key.system, key.block, key.format, key.backend, cache, seed, device), model))
