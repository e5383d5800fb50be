"""Strict JSON documents: a schema version first, then every field; the first wrong one is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from mpcheck._errors import InputError
from mpcheck._io import read_text

Model = TypeVar("Model", bound=BaseModel)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not a JSON number")


def load_json(path: Path, what: str, schema: int, remedy: str, field: str = "schema_version") -> dict[str, Any]:
    """The fields of a JSON document of a known schema version.

    Args:
        what: it was meant to be, for the error.
        schema: the version that is read here; ``field`` holds it in the document.
        remedy: what the user can do about a damaged one.

    Raises:
        InputError: missing, unreadable, not JSON, NaN or infinities in it, of another schema version.
    """
    text = read_text(path, what)
    try:
        data = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{what} {path}: not valid JSON (truncated?): {error}; {remedy}") from error
    version = data.get(field) if isinstance(data, dict) else None
    if version != schema or isinstance(version, bool):
        raise InputError(f"{what} {path}: {field} is {version!r}, this mpcheck reads {schema}; {remedy}")
    return dict(data)


def load_document(model: type[Model], path: Path, what: str, schema: int, remedy: str) -> Model:
    """A JSON document checked against its pydantic model.

    Raises:
        InputError: as :func:`load_json`, or a wrong field, which is named.
    """
    try:
        return model.model_validate(load_json(path, what, schema, remedy))
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(f"{what} {path}: field {'.'.join(map(str, first['loc']))}: {first['msg']}; {remedy}") from error
