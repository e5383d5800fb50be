"""What a gate is asked to do: ``mpcheck.toml``, then environment variables, then the command line."""

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
from mpcheck._io import read_text
from mpcheck._yaml import Strict

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FILE = "mpcheck.toml"
SESSIONS = ("precision", "symmetry", "audit", "bench", "profile")
LISTS = ("systems", "backends", "formats", "blocks", "sessions", "require")
VARIABLES = {
    f"MPCHECK_GATE_{name.upper()}": name
    for name in ("base", "install", "model", *LISTS, "device", "margin", "baselines")
}  # fmt: skip
"""Settings that an environment variable overrides. An empty variable leaves the word to ``mpcheck.toml``; ``none`` as base means no base."""
ROOT_VARIABLE, OUT_VARIABLE = "MPCHECK_GATE_ROOT", "MPCHECK_GATE_OUT"
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


def _table(path: Path) -> dict[str, Any]:
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
        raise InputError(f"settings {path}: not valid TOML: {str(error)[:300]}") from error
    unknown = sorted(set(data) - {"gate"})
    if unknown:
        raise InputError(f"settings {path}: field {unknown[0][:80]} is unknown; everything belongs below [gate]")
    table = data.get("gate", {})
    if not isinstance(table, dict):
        raise InputError(f"settings {path}: gate must be a table, [gate]")
    return dict(table)


def _typed(name: str, text: str, where: str) -> Any:
    """A text from outside as the field's type."""
    if name in LISTS:
        return [part.strip() for part in text.split(",") if part.strip()]
    if name == "margin":
        try:
            return float(text)
        except ValueError as error:
            raise InputError(f"{where} is {text!r}; give a number such as 0.05") from error
    return "" if name == "base" and text.lower() == "none" else text


def from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    """Settings that variables override, by field.

    Raises:
        InputError: an unknown ``MPCHECK_GATE_`` variable (a typing error would otherwise go unseen), or no number where one belongs.
    """
    known = {*VARIABLES, ROOT_VARIABLE, OUT_VARIABLE}
    for name in environment:
        if name.startswith("MPCHECK_GATE_") and name not in known:
            raise InputError(f"variable {name} is unknown; there are {', '.join(sorted(known))}")
    chosen = {VARIABLES[name]: (name, text.strip()) for name, text in environment.items() if name in VARIABLES and text.strip()}
    return {field: _typed(field, text, f"variable {name}") for field, (name, text) in chosen.items()}


def read_settings(root: Path, config: Path | None, options: Mapping[str, Any], environment: Mapping[str, str] = os.environ) -> GateSettings:
    """The settings of a gate.

    Args:
        root: of the repository; its ``mpcheck.toml`` is read where ``config`` names none.
        options: of the command line, by field; None and empty ones leave the word to the others.

    Raises:
        InputError: no settings at all; a file that is missing or wrong; the first wrong field, with where it came from.
    """
    path = config or root / FILE
    chosen = {name: value for name, value in options.items() if value not in (None, "", [], 0)}
    variables = from_environment(environment)
    if config is None and not path.exists():
        if not (set(variables) | set(chosen)) - {"base"}:
            raise InputError(f"no {FILE} in {root} and no settings in MPCHECK_GATE_… variables; `mpcheck init --dir {root}` writes one")
        table: dict[str, Any] = {}
    else:
        table = _table(path)
    typed = {name: _typed(name, value, f"--{name}") if isinstance(value, str) and name not in LISTS else value for name, value in chosen.items()}
    try:
        return GateSettings.model_validate({**table, **variables, **typed})
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        where = f"settings {path}: field gate.{field}"
        if field in typed or field in variables:
            where = f"--{field}" if field in typed else f"variable MPCHECK_GATE_{field.upper()}"
        remedy = f"; known fields are {', '.join(sorted(map(_hyphens, GateSettings.model_fields)))}" if first["type"] == "extra_forbidden" else ""
        raise InputError(f"{where}: {first['msg'].removeprefix('Value error, ')}{remedy}") from error
