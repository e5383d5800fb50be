"""Strict JSON documents: no field twice, finite numbers only, a schema version first, then every field; the first wrong one is named.

What cannot be written again, or takes more of the machine than it could ever say, is refused here, for all readers: whole numbers beyond 64
bits, halves of surrogate pairs, deep nesting, a text of commas and brackets only.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from mpcheck._errors import InputError
from mpcheck._files.io import MAX_TEXT_BYTES, is_there, read_text, write_text
from mpcheck._text import shortened

Model = TypeVar("Model", bound=BaseModel)
Migration = Callable[[dict[str, Any]], dict[str, Any]]
MAX_BYTES = 64 << 20
VERSION = "schema_version"
COMPACT = (",", ":")
MOST_DEPTH = 64
MOST_VALUES = 20_000_000
"""Commas and opening brackets of one text. The built-in model's 2,960 cells have 360,000; an empty list takes 64 bytes of memory for its two."""
HALF = re.compile(r"\\u[dD][89a-fA-F]|[\ud800-\udfff]")


class BrokenError(ValueError):
    """Text that is not a JSON document of ours, and why."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, value in pairs:
        if name in fields:
            raise BrokenError(f"field {shortened(name, 80)} occurs twice")
        fields[name] = value
    return fields


def _constant(text: str) -> None:
    raise BrokenError(f"{text} is not a number")


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):  # 1e999 is valid JSON, and infinite
        raise BrokenError(f"{shortened(text, 24)} is not a finite number")
    return value


def _integer(text: str) -> int:
    if len(text) > 20 or abs(int(text)) >= 1 << 63:
        raise BrokenError(f"{shortened(text, 24)} is too large a whole number")
    return int(text)


def _refuse_deep(data: Any) -> None:
    """Level by level, because what recurses ends where Python's stack does."""
    level = [data]
    for _ in range(MOST_DEPTH):
        inner = (value.values() if isinstance(value, dict) else value for value in level if isinstance(value, (dict, list)))
        level = [child for values in inner for child in values if isinstance(child, (dict, list))]
        if not level:
            return
    raise BrokenError(f"nested deeper than {MOST_DEPTH} levels")


def _halves(data: Any) -> str:
    """The first half of a surrogate pair that stands alone in the data's texts, in words; empty where none does."""
    try:
        json.dumps(data, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as error:
        return f"\\u{ord(error.object[error.start]):04x}"
    return ""


def parse(text: str) -> Any:
    """The data of a JSON text.

    Raises:
        BrokenError: not JSON, a field twice in one object (``json`` would keep the last silently), NaN, infinities, whole numbers beyond 64
            bits, half a surrogate pair, nested deeper than 64 levels, more than 20 million values.
    """
    if sum(map(text.count, ",[{")) > MOST_VALUES:
        raise BrokenError(f"more than {MOST_VALUES:,} values")
    try:
        data = json.loads(text, object_pairs_hook=_unique, parse_constant=_constant, parse_float=_number, parse_int=_integer)
    except BrokenError:
        raise
    except (ValueError, RecursionError) as error:
        raise BrokenError(f"not valid JSON (truncated?): {error}") from error
    _refuse_deep(data)
    if HALF.search(text) and (half := _halves(data)):
        raise BrokenError(f"{half} alone is half a character")  # it is valid JSON, and can be written nowhere
    return data


def text_if_there(path: Path, what: str, remedy: str, limit: int = MAX_BYTES) -> str | None:
    """A file's text; None where nothing has that name.

    Raises:
        InputError: something that is no file, more than ``limit`` bytes, not UTF-8, unreadable.
    """
    return read_text(path, what, limit, remedy) if is_there(path) else None


def read_fields(path: Path, what: str, remedy: str, limit: int = MAX_BYTES) -> dict[str, Any]:
    """The fields of a JSON document, whose schema nobody has looked at yet.

    Args:
        what: it was meant to be, for the error. remedy: what the user can do about a damaged one.

    Raises:
        InputError: missing, unreadable, too large, not JSON, a field twice, NaN or infinities in it, no object.
    """
    try:
        data = parse(read_text(path, what, limit, remedy))
    except BrokenError as error:
        raise InputError(f"{what} {path}: {error}; {remedy}") from error
    return _object(data, f"{what} {path}", remedy)


def _object(data: Any, where: str, remedy: str) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise InputError(f"{where}: an object of fields expected, found {type(data).__name__}; {remedy}")
    return data


def of_version(
    data: dict[str, Any], where: str, schema: int, remedy: str, migrations: Mapping[int, Migration] | None = None, name: str = VERSION
) -> dict[str, Any]:
    """The fields of a document as those of version ``schema``; older ones are migrated version by version.

    Args:
        name: of the field that holds the version.

    Raises:
        InputError: a version that is neither ``schema`` nor one that can be migrated.
    """
    version = data.get(name)
    while migrations and isinstance(version, int) and not isinstance(version, bool) and version in migrations:
        data = {**migrations[version](data), name: version + 1}
        version += 1
    if version != schema or isinstance(version, bool):
        raise InputError(f"{where}: {name} is {version!r}, this mpcheck reads {schema}; use the mpcheck that wrote it, or {remedy}")
    return data


@dataclass(frozen=True)
class DocumentKind(Generic[Model]):
    """One kind of stored document, and how every file of it is read.

    Attributes:
        model: its fields, ``schema_version`` among them.
        what: it is called in errors; remedy: what the user can do about a damaged one.
        schema: the version that is written; migrations: by an older version, what makes its fields those of the next one.
        suite: the value of its field ``suite``; empty where it has none, or one of several.
        limit: bytes that are read at most.
    """

    model: type[Model]
    what: str
    schema: int
    remedy: str
    suite: str = ""
    limit: int = MAX_BYTES
    migrations: Mapping[int, Migration] = field(default_factory=dict)

    def read(self, path: Path) -> Model:
        """Read a file. Raises as :func:`read_fields` and :meth:`check`."""
        return self.check(read_fields(path, self.what, self.remedy, self.limit), f"{self.what} {path}")

    def read_if_there(self, path: Path) -> Model | None:
        """Read a file; None where nothing has the name. Raises as :meth:`read`."""
        return self.read(path) if is_there(path) else None

    def check(self, data: Any, where: str) -> Model:
        """Parsed data as this kind of document; ``where`` says what and which file, for errors.

        Raises:
            InputError: no object, another suite's, a schema version that cannot be read, a wrong field, which is named.
        """
        fields = _object(data, where, self.remedy)
        if self.suite and fields.get("suite") != self.suite:
            suite = fields.get("suite")
            what = f"the field suite is {suite!r}" if suite is not None else "there is no field suite"
            raise InputError(f"{where}: {what}, expected {self.suite!r}: this is another kind of file; {self.remedy}")
        try:
            return self.model.model_validate(of_version(fields, where, self.schema, self.remedy, self.migrations))
        except ValidationError as error:
            first = error.errors()[0]
            told = [".".join(map(str, first["loc"])), first["msg"].removeprefix("Value error, ")]  # what speaks of several fields names them itself
            raise InputError(f"{where}: field {': '.join(filter(None, told))}; {self.remedy}") from error


def load_document(model: type[Model], path: Path, what: str, schema: int, remedy: str) -> Model:
    """Read a document of a kind that is read in one place only. Raises as :meth:`DocumentKind.read`."""
    return DocumentKind(model, what, schema, remedy, limit=MAX_TEXT_BYTES).read(path)


def dumps(data: Any, **how: Any) -> str:
    """JSON text that :func:`parse` reads: half a surrogate pair, as in a message of somebody's, becomes its escape in words."""
    text = json.dumps(data, **how)
    return json.dumps(_whole(data), **how) if HALF.search(text) and _halves(data) else text


def _whole(data: Any) -> Any:
    if isinstance(data, str):
        return data.encode("utf-8", "backslashreplace").decode()
    if isinstance(data, dict):
        return {_whole(name): _whole(value) for name, value in data.items()}
    return [_whole(value) for value in data] if isinstance(data, (list, tuple)) else data


def write_document(path: Path, document: BaseModel | Mapping[str, Any], *each: str) -> None:
    """Write a document atomically, the items of some of its fields a line each, so that a difference of two shows which changed.

    Args:
        each: the fields; a list keeps its order, a table is sorted by name.
    """
    data = document.model_dump() if isinstance(document, BaseModel) else dict(document)
    parts = [dumps({name: value for name, value in data.items() if name not in each}, indent=1)[:-2]]
    for name in each:
        items = data[name]
        if isinstance(items, dict):
            lines = ",\n".join(f"  {dumps(key)}: {dumps(items[key], separators=COMPACT)}" for key in sorted(items))
            parts.append(f' "{name}": {{\n{lines}\n }}')
        else:
            lines = ",\n".join(dumps(item, separators=COMPACT) for item in items)
            parts.append(f' "{name}": [\n{lines}\n ]')
    write_text(path, ",\n".join(parts) + "\n}\n")
