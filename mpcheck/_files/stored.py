"""JSON as baselines, histories and comparisons store it: of the right suite and schema, and not too large."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError, field_validator

from mpcheck._errors import InputError
from mpcheck._files.documents import BrokenError, parse
from mpcheck._files.io import is_there, read_text
from mpcheck._files.yaml import Strict

SCHEMA = 1
MAX_BYTES = 64 << 20
Document = TypeVar("Document", bound=BaseModel)


class Stamp(Strict):
    """Where figures come from. ``date`` is a time in ISO format with its offset, UTC as written here."""

    commit: str
    date: str

    @field_validator("date")
    @classmethod
    def _is_a_time(cls, value: str) -> str:
        try:
            aware = datetime.datetime.fromisoformat(value).tzinfo is not None
        except ValueError:
            aware = False
        if not aware:
            raise ValueError(f"{value!r} is not a time with an offset such as 2026-01-31T12:00:00+00:00")
        return value

    @property
    def time(self) -> datetime.datetime:
        """The date as a time with its offset."""
        return datetime.datetime.fromisoformat(self.date)


class Model(Strict):
    """The model that was measured."""

    name: str
    digest: str


def now() -> str:
    """The time in UTC, to the second, in ISO format."""
    return datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0).isoformat()


def check(model: type[Document], data: Any, where: str, suite: str, remedy: str) -> Document:
    """Parsed data as a model with the fields ``suite`` and ``schema_version``.

    Args:
        where: what and which file, for errors.

    Raises:
        InputError: another suite's document, another schema version, a wrong field, which is named.
    """
    if not isinstance(data, dict):
        raise InputError(f"{where}: an object of fields expected, found {type(data).__name__}; {remedy}")
    if data.get("suite") != suite:
        found = data.get("suite")
        what = f"the field suite is {found!r}" if found is not None else "there is no field suite"
        raise InputError(f"{where}: {what}, expected {suite!r}: this is another kind of file; {remedy}")
    version = data.get("schema_version")
    if version != SCHEMA or isinstance(version, bool):
        raise InputError(f"{where}: schema_version is {version!r}, this mpcheck reads {SCHEMA}; use the mpcheck that wrote it, or {remedy}")
    try:
        return model.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or "(top)"
        raise InputError(f"{where}: field {field}: {first['msg'].removeprefix('Value error, ')}; {remedy}") from error


def bounded_text(path: Path, what: str, remedy: str) -> str | None:
    """A file's text; None where nothing has that name.

    Raises:
        InputError: something that is no file, more than 64 MiB, not UTF-8, unreadable.
    """
    return read_text(path, what, MAX_BYTES, remedy) if is_there(path) else None


def load(model: type[Document], path: Path, what: str, suite: str, remedy: str) -> Document | None:
    """A strict document; None where there is no file.

    Raises:
        InputError: see :func:`bounded_text`, :func:`parse` and :func:`check`.
    """
    text = bounded_text(path, what, remedy)
    if text is None:
        return None
    try:
        data = parse(text)
    except BrokenError as error:
        raise InputError(f"{what} {path}: {error}; {remedy}") from error
    return check(model, data, f"{what} {path}", suite, remedy)
