"""Strict YAML: ruamel.yaml reads it (``1e-6`` is a number, duplicate keys are refused), pydantic checks it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import ruamel.yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from mpcheck._errors import InputError
from mpcheck._io import read_text


class Strict(BaseModel):
    """Base of every schema: unknown fields are errors, values are not coerced across types, instances are frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


Model = TypeVar("Model", bound=BaseModel)


def parse_yaml(text: str, where: str) -> Any:
    """Plain Python data of a YAML document.

    Raises:
        InputError: broken YAML or a duplicate key, with its line.
    """
    try:
        return ruamel.yaml.YAML(typ="safe", pure=True).load(text)
    except Exception as error:  # YAMLError, and whatever ruamel.yaml's constructors raise: KeyError for `!!bool maybe`
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 1}" if mark is not None else ""
        problem = getattr(error, "problem", None) or str(error) or type(error).__name__
        raise InputError(f"{where}{line}: not valid YAML: {problem}") from error


def validate(schema: type[Model], data: Any, where: str) -> Model:
    """Check plain data against a schema.

    Raises:
        InputError: names the file, the first wrong field and what was expected there.
    """
    if not isinstance(data, dict):
        raise InputError(f"{where}: expected a mapping of fields at the top, found {type(data).__name__}")
    try:
        return schema.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "(top)"
        more = f" ({error.error_count() - 1} more)" if error.error_count() > 1 else ""
        raise InputError(f"{where}: field {field}: {first['msg']}{more}") from error


def load_yaml(schema: type[Model], path: Path, what: str) -> Model:
    """Read and check a YAML file that the user or the package named."""
    return validate(schema, parse_yaml(read_text(path, what), f"{what} {path}"), f"{what} {path}")
