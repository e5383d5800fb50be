"""The command line: a command for every session, and those about what sessions wrote."""

from __future__ import annotations

import errno
import io
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from mpcheck import __version__
from mpcheck._errors import PREFIX, InputError
from mpcheck._names import REFERENCE_BACKEND
from mpcheck._raised import evaluated
from mpcheck._text import say, say_lines
from mpcheck.cli.apply import apply, policies
from mpcheck.cli.baseline import baseline_app
from mpcheck.cli.cache import cache_app
from mpcheck.cli.comment import comment
from mpcheck.cli.compare import compare
from mpcheck.cli.explain import explain as explain_cell
from mpcheck.cli.gate import gate, init
from mpcheck.cli.history import history_app
from mpcheck.cli.merge import merge
from mpcheck.cli.mix import mix
from mpcheck.cli.options import command_of, shared
from mpcheck.cli.report import report
from mpcheck.sessions.options import MODELS
from mpcheck.sessions.registry import sessions

app = typer.Typer(
    name="mpcheck",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Numerical checks of MACE models at every number format and backend.",
)
tolerances_app = typer.Typer(no_args_is_help=True, help="Where the allowed errors come from.")
app.add_typer(tolerances_app, name="tolerances")
BACKEND = "whose arithmetic is allowed for"

for _spec in sessions().values():
    app.command(_spec.command)(command_of(_spec))


@app.command()
@shared("model", "system", "device", "cache", "seed")
def blocks(model: str, system: list[str], device: str, cache: Path | None, seed: int) -> None:
    """List a model's blocks: role, parameters, irreps, shapes on a system."""
    from mpcheck._console import Grid
    from mpcheck._progress import PROGRESS
    from mpcheck.sessions.run import Options, Session
    from mpcheck.systems import available_systems

    session = Session(Options(model=model, systems=tuple(system or ()), device=device, cache=cache, seed=seed, progress=PROGRESS))
    name = next(iter(session.systems), None) or available_systems(session.model.elements)[0]
    library = session.check(name).library
    grid = Grid(f"{model} on {name}", pad_edge=True)
    for column in ("block", "kind", "role", "parameters", "inputs", "outputs"):
        grid.column(column, right=column == "parameters", overflow="fold")
    for block in evaluated(library.blocks, model):
        shapes = library.shapes(block.name)
        inputs = "\n".join(f"{n} {s}" + (f" {block.input_slot(n).irreps}" if block.input_slot(n).irreps else "") for n, s in shapes.items())
        outputs = "\n".join(f"{n} {slot.irreps} ({slot.form})" for n, slot in block.outputs.items() if slot.irreps)
        grid.row([block.name, block.kind, block.role, f"{block.parameters:,}", inputs, outputs])
    grid.show(140)


app.command()(apply)
app.command()(policies)
app.command()(explain_cell)
app.command()(compare)
app.command()(merge)
app.command()(mix)
app.command()(comment)
app.command()(gate)
app.command()(init)
app.command()(report)
app.add_typer(baseline_app, name="baseline")
app.add_typer(history_app, name="history")
app.add_typer(cache_app, name="cache")


@tolerances_app.command()
@shared("system", "cache", "seed")
def explain(
    block: Annotated[str, typer.Argument(help="block name")],
    format: Annotated[str, typer.Argument(help="number format")],
    system: str,
    cache: Path | None,
    seed: int,
    model: Annotated[str, typer.Option("--model", help=MODELS)] = "builtin:hco",
    backend: Annotated[str, typer.Option("--backend", help=BACKEND)] = REFERENCE_BACKEND,
) -> None:
    """Show in words and numbers where the allowed absolute error of a cell comes from."""
    from mpcheck.sessions.explain import explain as explain_block

    say_lines(evaluated(lambda: explain_block(model, system, block, format, backend, cache, seed), model))


@tolerances_app.command()
@shared("model", "system", "cache", "seed")
def derive(
    model: str,
    system: str,
    cache: Path | None,
    seed: int,
    out: Annotated[Path | None, typer.Option("--out", help="default: tolerances/MODEL.yaml")] = None,
    backend: Annotated[str, typer.Option("--backend", help=BACKEND)] = REFERENCE_BACKEND,
) -> None:
    """Write the plain table: allowed max_abs and max_rel per block, format and direction, computed from machine epsilon."""
    from mpcheck.sessions.derive import derive as derive_table

    say_lines(evaluated(lambda: derive_table(model, system, out, backend, cache, seed), model))


@tolerances_app.command()
@shared("cache")
def check(cache: Path | None, path: Annotated[Path | None, typer.Argument(help="default: every file in tolerances/")] = None) -> None:
    """Validate tolerance files; a derived table that no longer follows from its model is stale. Exit 1 where one is."""
    from mpcheck.sessions.derive import check_files

    stale, text = check_files(path, cache)
    say_lines(text)
    raise typer.Exit(1 if stale else 0)


def _version(value: bool) -> None:
    if value:
        say(f"mpcheck {__version__}")
        raise typer.Exit


@app.callback()
def options(version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True)] = False) -> None:
    """Numerical checks of MACE models at every number format and backend."""


FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
"""What a full or read-only disk says, wherever something was being written, standard output included; never a mistake of ours."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; bad input is one line on standard error and status 2."""
    call: Callable[..., Any] = app
    try:
        status = call(args=arguments, standalone_mode=False)
    except InputError as error:
        say(f"{PREFIX}{error}", error=True)
        return 2
    except OSError as error:
        if error.errno not in FULL:
            raise
        where = f" {error.filename}" if error.filename else ""
        say(f"{PREFIX}cannot write{where}: {error.strerror}; free some space or choose another place", error=True)
        return 2
    except SystemExit as stop:
        return int(stop.code or 0)
    except Exception as error:
        if not hasattr(error, "format_message"):
            raise
        return refused(error)
    return status if isinstance(status, int) else 0


def refused(error: Any) -> int:
    """Tell of arguments that do not fit, by our own means: typer would repeat them as they are.

    Args:
        error: click's, which some versions of typer bring themselves, so that it has no class to be named here.
    """
    usage = error.ctx.get_usage() if getattr(error, "ctx", None) is not None else ""
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()
        return int(error.exit_code)
    say_lines(usage, error=True)
    say(f"{PREFIX}{error.format_message().rstrip('.')}; --help after a command tells what it takes", error=True)
    return int(error.exit_code)


def entry() -> None:
    """Console script. What standard output cannot say, of names that are no UTF-8, it says as escapes. A crash is told with its traceback, in
    which no text is obeyed by a terminal or a runner; status 1, as Python's own.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        status = main()
    except Exception:
        say_lines(traceback.format_exc().rstrip(), error=True)
        status = 1
    raise SystemExit(status)


if __name__ == "__main__":
    entry()
