"""Declared options as parameters of commands: typer reads them from a function's signature, which is made here."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.markup import escape

from mpcheck._cores import processes
from mpcheck.sessions.contract import SessionSpec
from mpcheck.sessions.options import Declared, Options, declared

F = TypeVar("F", bound=Callable[..., Any])
KEYWORD = inspect.Parameter.POSITIONAL_OR_KEYWORD


def type_of(one: Declared) -> tuple[Any, Any]:
    """What typer must be told of an option: an annotated type, and the default."""
    option, said = one.option, escape(one.option.help)
    if option.argument:
        return Annotated[str, typer.Argument(help=said)], one.default
    numbers: dict[str, Any] = {"min": option.least, "max": option.most} if one.type in (int, float) and not one.several else {}
    told = typer.Option(f"--{one.name}", help=said, metavar=option.metavar or None, envvar=option.variable or None, **numbers)
    if one.several and not option.single:
        return Annotated[list[str] | None, told], None
    if one.several:
        return Annotated[str | None, told], None
    return Annotated[one.type | None if one.default is None else one.type, told], one.default


def parameters(every: Iterable[Declared]) -> list[inspect.Parameter]:
    """Parameters of a command, in their order."""
    typed = ((one.name.replace("-", "_"), *type_of(one)) for one in every)
    return [inspect.Parameter(name, KEYWORD, default=default, annotation=kind) for name, kind, default in typed]


def _parameter(name: str, kind: Any, told: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, KEYWORD, default=default, annotation=Annotated[kind, told])


OUT = _parameter("out", Path, typer.Option("--out", help="directory of the records and reports"), Path("reports"))
WORKERS = _parameter("workers", str, typer.Option("--workers", "-n", metavar="N", help="processes, or auto: one for each core"), "0")
VERBOSE = _parameter("verbose", bool, typer.Option("--verbose", "-v", help="one line for each piece of work"), False)


def command_of(spec: SessionSpec) -> Callable[..., None]:
    """The command that runs a session."""

    def command(**given: Any) -> None:
        out, workers, verbose = given.pop("out"), given.pop("workers", "0"), given.pop("verbose", False)
        options = {name.replace("_", "-"): value for name, value in given.items()}
        spec.refuse(options)
        raise typer.Exit(spec.begin(options, out, processes(workers), verbose))

    own = [OUT, *([WORKERS] if spec.parallel else []), *([VERBOSE] if spec.work else [])]
    return _shaped(command, spec.command, spec.title, [*parameters(spec.declared.values()), *own])


def _shaped(function: F, name: str, help: str, signature: list[inspect.Parameter]) -> F:
    function.__name__, function.__doc__ = name, help
    signature = sorted(signature, key=lambda p: p.default is not p.empty)  # as Python wants them
    function.__signature__ = inspect.Signature(signature)  # type: ignore[attr-defined]
    function.__annotations__ = {p.name: p.annotation for p in signature}
    return function


def shared(*names: str) -> Callable[[F], F]:
    """Give parameters of a command's function what is declared of the options of the same names: ``system`` is the option that is named so,
    whatever its field is called.
    """
    known = {one.name: one for one in declared(Options).values()}

    def decorate(function: F) -> F:
        signature = []
        for parameter in inspect.signature(function, eval_str=True).parameters.values():
            if parameter.name in names:
                one = known[parameter.name.replace("_", "-")]
                kind, default = type_of(one)
                if one.several and "list" not in str(parameter.annotation):  # this command takes one of them
                    kind, default = Annotated[str, typer.Option(f"--{one.name}", help=escape(one.option.help))], ""
                parameter = parameter.replace(annotation=kind, default=default if parameter.default is parameter.empty else parameter.default)
            signature.append(parameter)
        return _shaped(function, function.__name__, function.__doc__ or "", signature)

    return decorate


def setting_word(name: str, one: Declared) -> str:
    """The parameter of a gate's setting: ``bench_block`` of ``bench.blocks``."""
    table, dot, _ = name.rpartition(".")
    return f"{table}{dot and '_'}{one.name}".replace("-", "_").replace(".", "_")


def setting(word: str, one: Declared) -> inspect.Parameter:
    """A gate's setting as a parameter: what is not given leaves the word to others, so that nothing has a default."""
    flag, said = word.replace("_", "-"), escape(one.option.help)
    if one.type is bool:
        return _parameter(word, bool | None, typer.Option(f"--{flag}/--no-{flag}", help=said), None)
    if one.several:
        return _parameter(word, list[str] | None, typer.Option(f"--{flag}", help=f"{said}; repeat for several"), None)
    if one.type in (int, float):
        told = typer.Option(f"--{flag}", help=said, min=one.option.least, max=one.option.most)
        return _parameter(word, int | None if one.type is int else float | None, told, None)
    return _parameter(word, str, typer.Option(f"--{flag}", help=said), "")


def add_parameters(function: Callable[..., Any], more: list[inspect.Parameter]) -> None:
    """Give a command's function, in place of its ``**`` parameter, these."""
    own = [p for p in inspect.signature(function, eval_str=True).parameters.values() if p.kind is not p.VAR_KEYWORD]
    _shaped(function, function.__name__, function.__doc__ or "", [*own, *more])
