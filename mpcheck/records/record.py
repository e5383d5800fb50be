"""Records: what a run writes and what reports, baselines and comparisons read. Schema-versioned and strict."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Protocol

from pydantic import ConfigDict, Field
from typing_extensions import TypedDict  # pydantic needs it before Python 3.12

from mpcheck._errors import InputError
from mpcheck._files.documents import load_document, write_document
from mpcheck._files.yaml import Strict

SCHEMA = 2
Verdict = Literal["pass", "fail", "unsupported", "degraded"]
Drift = Literal["pass", "fail", "no-baseline", "off", "inputs-moved"]
Number = float | None
"""A finite number; None stands for one that is not (JSON has no NaN)."""
State = Literal["running", "complete", "interrupted", "crashed"]


class Planned(Strict):
    """One piece of work that a run was going to do, written down before it starts.

    Attributes:
        key: unique in the run; every record of the work has it.
        check, subject, backend, format, system, variant: what it is about, as in a record of it.
    """

    key: str
    check: str
    subject: str = ""
    backend: str = ""
    format: str = ""
    system: str = ""
    variant: str = ""


class Part(Strict):
    """Which of a piece of work's records one is: ``number`` of ``of``, counted from 1."""

    number: int = Field(ge=1)
    of: int = Field(ge=1)


class Accounted(Strict):
    """What the records of every session say of the run itself.

    Attributes:
        plan: all that was to be done.
        state: ``running`` until the run has ended, so that one that was killed is told from a whole one.
        why: how it ended, where it did not end well.
        narrowed: what the user left out, by kind (``blocks``, ``formats``, ``systems``, ``backends``, ``checks``).
    """

    plan: list[Planned]
    state: State
    why: str = ""
    narrowed: dict[str, list[str]] = {}


class Worst(Strict):
    """The element with the largest error in units of what is allowed."""

    place: str
    value: Number
    expected: Number
    allowed: Number


class Group(Strict):
    """Metrics of one irrep or one weight path."""

    name: str
    rms: Number
    limit: Number


class Quantity(Strict):
    """One tensor of a cell: an output, or a gradient. Ratios are in units of the format's noise scale."""

    name: str
    shape: list[int]
    max_abs: Number
    max_rel: Number
    stabiliser: Number
    rms: Number
    rms_limit: Number
    max: Number
    max_limit: Number
    bias: Number
    signed_bias: Number
    bias_limit: Number
    signed_bias_limit: Number
    nonfinite: int
    out_of_range: int
    allowed_abs: Number
    allowed_rel: Number
    arithmetic: Number = None
    arithmetic_limit: Number = None
    arithmetic_bias: Number = None
    arithmetic_bias_limit: Number = None
    groups: list[Group] = []
    worst: Worst | None = None
    failures: list[str] = []
    digest: str = ""


class Cell(Strict):
    """One comparison: block x backend x format x direction x system.

    Attributes:
        key: of the planned work that it is the record of; part: always the only one.
        lacking: the capability that it could not run for, or ran without; empty where none that can be required is missing.
        tolerated: the setting that allows it to be degraded; empty where none does, and a degraded cell is then red.
    """

    block: str
    role: str
    kind: str
    backend: str
    format: str
    accumulation: str
    direction: str
    system: str
    verdict: Verdict
    reason: str = ""
    lacking: str = ""
    tolerated: str = ""
    note: str = ""
    drift: Drift = "off"
    seconds: float = 0.0
    key: str = ""
    part: Part = Part(number=1, of=1)
    quantities: list[Quantity] = []

    @property
    def id(self) -> str:
        """``SYSTEM/BLOCK-BACKEND-FORMAT-DIRECTION``."""
        return f"{self.system}/{self.block}-{self.backend}-{self.format}-{self.direction}"

    @property
    def worst_rms(self) -> float | None:
        """The largest rounding ratio of its quantities; None where there are none."""
        known = [q.rms for q in self.quantities if q.rms is not None]
        return max(known) if known else None


class Golden(TypedDict):
    """One tensor compared with its committed float64 values; ``failure`` is empty where it is the same."""

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)  # type: ignore[misc]  # pydantic's way to say so of a dictionary

    system: str
    name: str
    rms: Number
    max: Number
    limit: Number
    failure: str
    key: str
    part: Part


class Run(Accounted):
    """Everything one session found."""

    schema_version: Literal[2]
    suite: str
    mpcheck: str
    environment: dict[str, Any]
    model: dict[str, Any]
    systems: list[dict[str, Any]]
    options: dict[str, Any]
    cells: list[Cell]
    golden: list[Golden] = []
    seconds: float = Field(default=0.0, ge=0.0)


def finite(value: float) -> Number:
    """A number for JSON: None where it is infinite or NaN, seven digits otherwise."""
    number = float(value)
    return None if number != number or number in (float("inf"), float("-inf")) else float(f"{number:.7g}")


def read_run(path: Path) -> Run:
    """Read records.

    Raises:
        InputError: missing, truncated, not JSON, of another schema version, or with wrong fields.
    """
    run = load_document(Run, path, "records", SCHEMA, "make them anew with this version of mpcheck")
    check_head(run, path)
    return run


class Head(Protocol):
    """What the records of every session begin with."""

    @property
    def environment(self) -> dict[str, Any]:
        """Device, versions, commit."""

    @property
    def model(self) -> dict[str, Any]:
        """Name and digest."""


def check_head(document: Head, path: Path) -> None:
    """Refuse records whose model or device is not named: everything that reads them speaks of both.

    Raises:
        InputError: the field that is missing or no text.
    """
    for part, keys in (("model", ("name", "digest")), ("environment", ("device_slug", "device_name", "platform"))):
        for key in keys:
            if not isinstance(getattr(document, part).get(key), str):
                raise InputError(f"records {path}: field {part}.{key}: expected a text; run the session again")
    if not isinstance(document.environment.get("packages"), dict):
        raise InputError(f"records {path}: field environment.packages: expected versions by package; run the session again")


def write_run(path: Path, run: Run) -> None:
    """Write records atomically, one cell a line."""
    write_document(path, run, "cells")
