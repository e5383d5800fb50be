"""What a gate is asked to do: ``mpcheck.toml``; environment variables and the command line, which are the workflow's, go before it."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict, Field, ValidationError, field_validator

from mpcheck._errors import InputError
from mpcheck._files.io import read_text
from mpcheck._files.yaml import Strict
from mpcheck._text import shortened
from mpcheck.records.outcome import MEASURING

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FILE = "mpcheck.toml"
SESSIONS = ("precision", "symmetry", "audit", "bench", "profile")
ROOT_VARIABLE, OUT_VARIABLE, ALLOW_VARIABLE = "MPCHECK_GATE_ROOT", "MPCHECK_GATE_OUT", "MPCHECK_GATE_ALLOW"
DEFAULT = "default"
"""Pins a setting to its default, which an empty variable does not: that leaves the word to the file."""
MAX_BYTES = 256 << 10
MOST_PARTS = 32
"""Of a table's name: tomllib walks them all again for each of its lines."""
SHELL = re.compile(r"[|&;<>`]|\$\(")


def _hyphens(name: str) -> str:
    return name.replace("_", "-")


class _Table(Strict):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, alias_generator=_hyphens, populate_by_name=False)


class BenchSettings(_Table):
    """``[gate.bench]``: what of the bench session differs from the rest.

    Attributes:
        blocks: glob patterns; formats: names; empty for those of the gate. launches: at least so many pairs of processes; 0 for the default.
        seconds: start no further pair after so many; 0 for the default. threads: of each launch.
    """

    blocks: list[str] = []
    formats: list[str] = []
    launches: int = Field(default=0, ge=0)
    seconds: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    threads: int = Field(default=1, ge=1)


class GateSettings(_Table):
    """``[gate]``.

    Attributes:
        base: commit to compare with; empty for none.
        install: commands that install the repository into each side's environment, one a line, run without a shell; empty where its
            files are put on Python's path as they are.
        model, systems, backends, formats, blocks, device, require: as the sessions take them; empty lists for their defaults.
        allow_degraded: backends, or ``BACKEND:BLOCK``, that something else may compute than was asked for.
        sessions: which are run.
        margin: relative slow-down that is let be; 0 for the bench session's default.
        baselines: directory of stored baselines, relative to the root. history: likewise, of the gate's history; empty for none.
        only_new: whether failures that base has, too, leave the gate green.
        reference: ``base``: head is judged against the float64 values of base, so that a change of the mathematics is seen;
            ``own``: against its own.
        timeout: seconds that one session of one side may take.
        workers: processes of the precision, symmetry and audit sessions, each with a GPU of its own where there are several; 0 for one.
    """

    base: str = ""
    install: str = ""
    model: str = "builtin:hco"
    systems: list[str] = []
    backends: list[str] = []
    formats: list[str] = []
    blocks: list[str] = []
    sessions: list[str] = ["precision", "bench"]
    device: str = "cpu"
    margin: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    baselines: str = ""
    history: str = ""
    require: list[str] = []
    allow_degraded: list[str] = []
    only_new: bool = False
    reference: Literal["base", "own"] = "base"
    timeout: float = Field(default=3600.0, gt=0, allow_inf_nan=False)
    workers: int = Field(default=0, ge=0)
    bench: BenchSettings = BenchSettings()

    @field_validator("sessions")
    @classmethod
    def _known(cls, names: list[str]) -> list[str]:
        unknown = [name for name in names if name not in SESSIONS]
        if unknown or not names:
            raise ValueError(f"{unknown[0] if unknown else 'none'} is no session; choose from {', '.join(SESSIONS)}")
        if set(names) == {MEASURING}:
            raise ValueError(f"{MEASURING} judges nothing; choose another session, too")
        return [name for name in SESSIONS if name in names]

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

    @property
    def commands(self) -> list[list[str]]:
        """The commands of ``install``, split into words."""
        return [words for line in self.install.splitlines() if (words := shlex.split(line))]


class _File(Strict):
    gate: GateSettings = GateSettings()


def table_of(path: Path) -> dict[str, Any]:
    """The ``[gate]`` table of a file, unchecked.

    Raises:
        InputError: missing, or not TOML, with its line.
    """
    text = read_text(path, "settings")
    if len(text) > MAX_BYTES:
        raise InputError(f"settings {path}: larger than {MAX_BYTES >> 10} KiB; this cannot be the right file")
    for number, line in enumerate(text.split("\n"), 1):
        if line.lstrip().startswith("[") and line.count(".") > MOST_PARTS:
            raise InputError(f"settings {path} line {number}: a table's name has more than {MOST_PARTS} parts; everything belongs below [gate]")
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


def _fields() -> dict[str, Any]:
    """Defaults by the names that settings have in the file; those of ``[gate.bench]`` begin with ``bench.``."""
    own = {_hyphens(name): value for name, value in GateSettings() if name != "bench"}
    return own | {f"bench.{_hyphens(name)}": value for name, value in BenchSettings()}


FIELDS = _fields()
VARIABLES = {f"MPCHECK_GATE_{re.sub(r'[.-]', '_', name.upper())}": name for name in FIELDS}
"""By variable, the setting that it pins. ``none`` as base means no base."""


def _typed(name: str, text: str, where: str) -> Any:
    """A text from outside as the field's type."""
    default = FIELDS[name]
    if text.lower() == DEFAULT:
        return default
    if isinstance(default, list):
        return [part.strip() for part in text.split(",") if part.strip()]
    if isinstance(default, bool):
        known = {"true": True, "1": True, "false": False, "0": False}
        if text.lower() not in known:
            raise InputError(f"{where} is {text!r}; give true or false")
        return known[text.lower()]
    if isinstance(default, (int, float)):
        number: type[int] | type[float] = int if isinstance(default, int) else float
        try:
            return number(text)
        except ValueError as error:
            raise InputError(f"{where} is {text!r}; give a number such as {default or 1}") from error
    return "" if name == "base" and text.lower() == "none" else text


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
    data = {**table, **{name: value for name, value in pins.items() if not name.startswith("bench.")}}
    nested = {name.removeprefix("bench."): value for name, value in pins.items() if name.startswith("bench.")}
    if nested and isinstance(data.get("bench", {}), dict):
        data["bench"] = {**data.get("bench", {}), **nested}
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
