"""A session's records as a file: what reports, baselines and comparisons read. Schema-versioned and strict."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, PrivateAttr, ValidationError, ValidationInfo, field_validator

from mpcheck._errors import InputError
from mpcheck._files.documents import BrokenError, parse, write_document
from mpcheck._files.io import MAX_TEXT_BYTES, read_text
from mpcheck._files.yaml import Strict
from mpcheck.formats import FLOAT64
from mpcheck.records.migrate import OLDER
from mpcheck.records.record import Planned, Record
from mpcheck.sessions.registry import sessions

SCHEMA = 3
REMEDY = "make it anew with this version of mpcheck"
State = Literal["running", "complete", "interrupted", "crashed"]
Option = bool | int | float | str | None | list[str] | dict[str, list[str]]


class Gate(Strict):
    """Commits that a gate compares; empty where one is not known."""

    base: str
    head: str


class Environment(Strict):
    """What figures belong to; see :mod:`mpcheck.records.environment`, which describes this process's.

    Attributes:
        gate: that the session was a part of. flags: settings of torch that change results. date: ISO 8601, UTC.
        mpcheck_digest: of the package's own files.
    """

    gate: Gate | None = None
    python: str = ""
    platform: str
    device: str = ""
    device_name: str
    device_slug: str
    threads: int | None = None
    packages: dict[str, str]
    mpcheck_digest: str = ""
    flags: dict[str, str | bool | int | float] = {}
    commit: str = ""
    date: str = ""

    @property
    def facts(self) -> dict[str, Any]:
        """What is known, by name, in this order."""
        return {name: value for name, value in self.model_dump().items() if value not in (None, "")}


class JudgedModel(Strict):
    """Whose blocks were judged.

    Attributes:
        digest: of architecture and weights; stored_dtype: of its parameters as they were loaded.
        source: where the weights came from, by name: file and sha256, recipe and seed, tables that were put right.
        elements: symbols; parameters: how many numbers it has learnt. Empty and None of records that do not say.
        code: by submodule, where its class is written: ``mace/modules/blocks.py:212 EquivariantProductBasisBlock``.
    """

    name: str
    digest: str
    stored_dtype: str = FLOAT64.name
    source: dict[str, str] = {}
    elements: list[str] = []
    parameters: int | None = None
    code: dict[str, str] = {}


class Reference(Strict):
    """Where a system's references came from; see :func:`mpcheck.reference.provenance.provenance`."""

    origin: str
    code: str = ""
    made: str = ""
    by: list[str] = []
    made_now: int = 0


class JudgedSystem(Strict):
    """A structure, or several, that were judged on; notes: which of the model's inputs they bring, and what stands for those that they lack."""

    name: str
    digest: str = ""
    atoms: int | None = None
    frames: int | None = None
    edges: int | None = None
    notes: list[str] = []
    reference: Reference | None = None


class Records(Strict):
    """Everything one session found.

    Attributes:
        suite: the session. mpcheck: the version that made them.
        state: ``running`` until the run has ended, so that one that was killed is told from a whole one.
        why: how it ended, where it did not end well.
        narrowed: what the user left out, by kind (``blocks``, ``formats``, ``systems``, ``backends``, ``checks``).
        plan: all that was to be done.
        options: what the session was asked for, each with its value.
        seconds: that it took.
    """

    # what a file is stands first, before what may be long: who is asked to write over it reads its beginning only
    schema_version: Literal[3] = 3
    suite: str
    mpcheck: str
    state: State
    why: str = ""
    narrowed: dict[str, list[str]] = {}
    plan: list[Planned]
    environment: Environment
    model: JudgedModel
    systems: list[JudgedSystem]
    options: dict[str, Option]
    seconds: float = Field(default=0.0, ge=0.0)
    records: list[Record]

    @field_validator("records")
    @classmethod
    def _of_the_session(cls, value: list[Record], info: ValidationInfo) -> list[Record]:
        """Checks that are another session's."""
        every = {name: set(spec.checks) for name, spec in sessions().items()}
        own = every.get(str(info.data.get("suite")), set())
        others = set().union(*every.values()) - own
        stray = next((record for record in value if record.check in others), None)
        if stray is not None:
            raise ValueError(f"check {stray.check[:80]!r} is none of this session's")
        return value

    _directory: Path | None = PrivateAttr(default=None)

    def __eq__(self, other: object) -> bool:
        """Whether they say the same, wherever they lie."""
        return isinstance(other, Records) and self.__dict__ == other.__dict__

    def of(self, *checks: str) -> list[Record]:
        """Records of some checks."""
        return [record for record in self.records if record.check in checks]

    def lie_in(self, directory: Path) -> None:
        """Remember where these records were just written: it is no part of them, for files may be moved."""
        self._directory = directory

    def beside(self, name: str) -> Path:
        """The path of a file that was written beside these records; its bare name where that is not known."""
        return Path(name) if self._directory is None else self._directory / name


def records_of(data: dict[str, Any], path: Path) -> Records:
    """Parsed records, those of an earlier schema version brought to this one.

    Raises:
        InputError: an unknown version, or the first wrong field.
    """
    version = data.get("schema_version")
    if isinstance(version, bool) or version not in (SCHEMA, *OLDER):
        raise InputError(f"records {path}: schema_version is {version!r}, this mpcheck reads {min(OLDER)} to {SCHEMA}; {REMEDY}")
    try:
        while version != SCHEMA:
            data, version = OLDER[version](data), version + 1
        return Records.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(f"records {path}: field {'.'.join(map(str, first['loc']))}: {first['msg']}; {REMEDY}") from error


def parsed(path: Path, most: int = MAX_TEXT_BYTES) -> dict[str, Any]:
    """A file's JSON object.

    Raises:
        InputError: missing, larger than ``most`` bytes, truncated, no JSON object.
    """
    try:
        data = parse(read_text(path, "records", most))
    except BrokenError as error:
        raise InputError(f"records {path}: {error}; {REMEDY}") from error
    if not isinstance(data, dict):
        raise InputError(f"records {path}: an object of fields expected, found {type(data).__name__}; {REMEDY}")
    return data


def read_records(path: Path) -> Records:
    """Read records that the user names.

    Raises:
        InputError: see :func:`parsed` and :func:`records_of`.
    """
    return records_of(parsed(path), path)


def write_records(path: Path, document: Records) -> None:
    """Write records atomically, one a line."""
    write_document(path, document, "records")
