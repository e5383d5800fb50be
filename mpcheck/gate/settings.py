"""What a gate is asked to do: ``mpcheck.toml``; environment variables and the command line, which are the workflow's, go before it."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import ConfigDict, Field, ValidationError, create_model, field_validator

from mpcheck._errors import InputError
from mpcheck._files.io import read_text
from mpcheck._files.yaml import Strict
from mpcheck._text import shortened
from mpcheck.sessions.contract import SessionSpec
from mpcheck.sessions.options import Declared, Option, declared, split
from mpcheck.sessions.registry import sessions

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FILE = "mpcheck.toml"
ROOT_VARIABLE, OUT_VARIABLE, ALLOW_VARIABLE = "MPCHECK_GATE_ROOT", "MPCHECK_GATE_OUT", "MPCHECK_GATE_ALLOW"
DEFAULT_SESSIONS = [name for name, spec in sessions().items() if spec.gated]
DEFAULT = "default"
"""Pins a setting to its default, which an empty variable does not: that leaves the word to the file."""
MAX_BYTES = 256 << 10
MOST_PARTS = 32
"""Of a name: tomllib walks them all again for each part, and for each line of a table."""
BLANKS = re.compile(r"\s+")
BETWEEN = re.compile(r"[=,{}\[\]]")
SHELL = re.compile(r"[|&;<>`]|\$\(")


def _hyphens(name: str) -> str:
    return name.replace("_", "-")


class _Table(Strict):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, alias_generator=_hyphens, populate_by_name=False)


def _field(one: Declared) -> tuple[Any, Any]:
    """A declared option as a field of a table: lists as TOML has them, a path as its text; None is the empty text."""
    if one.several:
        return Annotated[list[str], one.option], Field(default_factory=list)
    if one.type in (int, float):
        return Annotated[one.type, one.option], Field(default=one.default, ge=one.option.least, le=one.option.most, allow_inf_nan=False)
    return Annotated[one.type if one.type is bool else str, one.option], one.default or (False if one.type is bool else "")


def _declared() -> dict[str, Any]:
    """Settings that sessions declare: those of ``[gate]``, which count for all that take them, and a table of its own where one has such."""
    every, tables = dict[str, Any](), dict[str, Any]()
    for spec in sessions().values():
        settable = {name: one for name, one in spec.declared.items() if one.option.gate and spec.gateable}
        every |= {name: _field(one) for name, one in settable.items() if name not in spec.own_settings and name not in every}
        own: dict[str, Any] = {name: _field(one) for name, one in settable.items() if name in spec.own_settings}
        if own:
            table = create_model(f"{spec.name.title()}Settings", __base__=_Table, **own)
            tables[spec.name] = (table, table())
    return every | tables


if TYPE_CHECKING:

    class _Declared(_Table):
        def __getattr__(self, name: str) -> Any: ...

else:
    _Declared = create_model("_Declared", __base__=_Table, **_declared())


class GateSettings(_Declared):
    """``[gate]``: the gate's own settings, after those that the sessions declare (:mod:`mpcheck.sessions.options`). Lists are empty for the
    sessions' defaults.

    Attributes:
        base: commit to compare with; empty for none.
        install: commands that install the repository into each side's environment, one a line, run without a shell; empty where its
            files are put on Python's path as they are.
        sessions: which are run. history: directory of the gate's history, relative to the root; empty for none.
        only_new: whether failures that base has, too, leave the gate green.
        reference: ``base``: head is judged against the float64 values of base, so that a change of the mathematics is seen;
            ``own``: against its own.
        timeout: seconds that one session of one side may take.
        workers: processes of the sessions that can have several, each with a GPU of its own where there are several; 0 for one.
    """

    base: Annotated[str, Option("commit to compare with, or none", rule="named")] = ""
    install: Annotated[str, Option("command that installs the repository into each side's environment")] = ""
    sessions: Annotated[list[str], Option("session to run", rule="stricter")] = DEFAULT_SESSIONS
    history: Annotated[str, Option("directory of the gate's history, relative to the root", rule="neutral")] = ""
    only_new: Annotated[bool, Option("failures that base has, too, leave it green", rule="flag")] = False
    reference: Annotated[Literal["base", "own"], Option("base or own: whose float64 values head is judged against", rule="reference")] = "base"
    timeout: Annotated[float, Option("seconds that one session of one side may take", rule="neutral"), Field(gt=0, allow_inf_nan=False)] = 3600.0
    workers: Annotated[int, Option("processes of the sessions that can have several", rule="neutral", least=0), Field(ge=0)] = 0

    @field_validator("sessions")
    @classmethod
    def _known(cls, names: list[str]) -> list[str]:
        known = {name: spec for name, spec in sessions().items() if spec.gateable}
        unknown = [name for name in names if name not in known]
        if unknown or not names:
            raise ValueError(f"{unknown[0] if unknown else 'none'} is no session; choose from {', '.join(known)}")
        if not any(known[name].judges for name in names):
            raise ValueError(f"{names[0]} judges nothing; choose another session, too")
        return [name for name in known if name in names]

    @field_validator("install")
    @classmethod
    def _no_shell(cls, text: str) -> str:
        for line in text.splitlines():
            try:
                words = shlex.split(line)
            except ValueError as error:
                raise ValueError(f"{line!r} is no command: {error}") from error
            if words and words[0] not in ("bash", "sh") and SHELL.search(line):
                raise ValueError(f"{line!r} needs a shell, and none is used; write one command a line, or bash -c '…'")
        return text

    def of(self, spec: SessionSpec, field: str) -> Any:
        """What a session takes: its own table's value where there is one, else that of all."""
        own = getattr(getattr(self, spec.name), field) if field in spec.own_settings else None
        return own or getattr(self, field, own)

    @property
    def commands(self) -> list[list[str]]:
        """The commands of ``install``, split into words."""
        return [words for line in self.install.splitlines() if (words := shlex.split(line))]


def table_of(path: Path) -> dict[str, Any]:
    """The ``[gate]`` table of a file, unchecked.

    Raises:
        InputError: missing, or not TOML, with its line.
    """
    text = read_text(path, "settings")
    if len(text) > MAX_BYTES:
        raise InputError(f"settings {path}: larger than {MAX_BYTES >> 10} KiB; this cannot be the right file")
    for number, line in enumerate(text.split("\n"), 1):
        if line.count(".") > MOST_PARTS and _parts(line) > MOST_PARTS:
            raise InputError(f"settings {path} line {number}: a name has more than {MOST_PARTS} parts; everything belongs below [gate]")
    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # TOMLDecodeError is one; so is a number of 5,000 digits, which the parser lets through
        raise InputError(f"settings {path}: not valid TOML: {shortened(error, 300)}") from error
    unknown = sorted(set(data) - {"gate"})
    if unknown:
        raise InputError(f"settings {path}: field {shortened(unknown[0], 80)} is unknown; everything belongs below [gate]")
    table = data.get("gate", {})
    if not isinstance(table, dict):
        raise InputError(f"settings {path}: gate must be a table, [gate]")
    return dict(table)


def _parts(line: str) -> int:
    """Parts of the longest dotted name that may be in a line."""
    return max(sum(map(bool, name.split("."))) for name in BETWEEN.split(BLANKS.sub("", line)))


def _options() -> dict[str, Declared]:
    """What is declared of each setting, by its name in the file."""
    own = {_hyphens(name): one for name, one in declared(GateSettings).items()}
    for name, value in GateSettings():
        if isinstance(value, _Table):
            own |= {f"{name}.{_hyphens(field)}": one for field, one in declared(type(value)).items()}
    return own


DECLARED = _options()
FIELDS = {name: one.default for name, one in DECLARED.items()}
"""Defaults by the names that settings have in the file; those of a session's own table begin with its name and a dot."""
VARIABLES = {f"MPCHECK_GATE_{re.sub(r'[.-]', '_', name.upper())}": name for name in FIELDS}
"""By variable, the setting that it pins. ``none`` as base means no base."""


def _typed(name: str, text: str, where: str) -> Any:
    """A text from outside as the field's type; its range is the model's matter."""
    if text.lower() == DEFAULT:
        return FIELDS[name]
    if DECLARED[name].several:
        return split(text)
    return "" if name == "base" and text.lower() == "none" else DECLARED[name].typed(text, where)


def from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    """Settings that variables pin, by field.

    Raises:
        InputError: an unknown ``MPCHECK_GATE_`` variable (a typing error would otherwise go unseen), or no number where one belongs.
    """
    known = {*VARIABLES, ROOT_VARIABLE, OUT_VARIABLE, ALLOW_VARIABLE}
    for name in environment:
        if name.startswith("MPCHECK_GATE_") and name not in known:
            raise InputError(f"variable {name} is unknown; there are {', '.join(sorted(known))}")
    chosen = {VARIABLES[name]: (name, text.strip()) for name, text in environment.items() if name in VARIABLES and text.strip()}
    return {field: _typed(field, text, f"variable {name}") for field, (name, text) in chosen.items()}


def from_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Settings that the command line pins, by field; None and empty ones leave the word to the others.

    Raises:
        InputError: no number where one belongs.
    """
    chosen = {name: value for name, value in options.items() if value is not None and value not in ("", [])}
    return {name: _typed(name, v, f"--{name}") if isinstance(v, str) else FIELDS[name] if v == [DEFAULT] else v for name, v in chosen.items()}


def combined(table: Mapping[str, Any], pins: Mapping[str, Any], origin: str, places: Mapping[str, str]) -> GateSettings:
    """A file's ``[gate]`` table under what the workflow pins.

    Args:
        origin: of the table, for errors. places: of each pin.

    Raises:
        InputError: the first wrong field, with where it came from.
    """
    data = {**table, **{name: value for name, value in pins.items() if "." not in name}}
    for name, value in pins.items():
        session, dot, field = name.partition(".")
        if dot and isinstance(data.get(session, {}), dict):
            data[session] = {**data.get(session, {}), field: value}
    try:
        return GateSettings.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        pinned = next((place for name, place in places.items() if field == name or field.startswith(f"{name}.")), None)
        where = pinned or f"{origin}: field gate.{field}"
        remedy = f"; known fields are {', '.join(sorted(map(_hyphens, GateSettings.model_fields)))}" if first["type"] == "extra_forbidden" else ""
        raise InputError(f"{where}: {first['msg'].removeprefix('Value error, ')}{remedy}") from error


def read_settings(root: Path, config: Path | None, options: Mapping[str, Any], environment: Mapping[str, str] = os.environ) -> GateSettings:
    """The settings of a gate as the files of ``root`` and the workflow have them.

    Args:
        root: of the repository; its ``mpcheck.toml`` is read where ``config`` names none.
        options: of the command line, by field.

    Raises:
        InputError: no settings at all; a file that is missing or wrong; the first wrong field, with where it came from.
    """
    path = config or root / FILE
    variables, typed = from_environment(environment), from_options(options)
    if config is None and not path.exists():
        if not (set(variables) | set(typed)) - {"base"}:
            raise InputError(f"no {FILE} in {root} and no settings in MPCHECK_GATE_… variables; `mpcheck init --dir {root}` writes one")
        table: dict[str, Any] = {}
    else:
        table = table_of(path)
    return combined(table, {**variables, **typed}, f"settings {path}", places_of(variables, typed))


def places_of(variables: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, str]:
    """Where each pinned setting comes from, in words."""
    named = {field: name for name, field in VARIABLES.items()}
    return {name: f"variable {named[name]}" for name in variables} | {name: f"--{name}" for name in options}
