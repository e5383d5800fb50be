"""Strict JSON documents: no field twice, finite numbers only, a schema version first, then every field; the first wrong one is named.

What cannot be written again, or takes more of the machine than it could ever say, is refused here, for all readers: whole numbers beyond 64
bits, halves of surrogate pairs, deep nesting, a text of commas and brackets only.
"""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from mpcheck._errors import InputError
from mpcheck._files.io import read_text, write_text
from mpcheck._text import shortened

Model = TypeVar("Model", bound=BaseModel)
MOST_DEPTH = 64
MOST_VALUES = 20_000_000
"""Commas and opening brackets of one text. The built-in model's 2,960 cells have 360,000; an empty list takes 64 bytes of memory for its two."""
HALF = re.compile(r"\\u[dD][89a-fA-F]|[\ud800-\udfff]")


class BrokenError(ValueError):
    """Text that is not a JSON document of ours, and why."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise BrokenError(f"field {shortened(name, 80)} occurs twice")
        found[name] = value
    return found


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


def load_json(path: Path, what: str, schema: int, remedy: str, field: str = "schema_version") -> dict[str, Any]:
    """The fields of a JSON document of a known schema version.

    Args:
        what: it was meant to be, for the error.
        schema: the version that is read here; ``field`` holds it in the document.
        remedy: what the user can do about a damaged one.

    Raises:
        InputError: missing, unreadable, not JSON, a field twice, NaN or infinities in it, of another schema version.
    """
    text = read_text(path, what)
    try:
        data = parse(text)
    except BrokenError as error:
        raise InputError(f"{what} {path}: {error}; {remedy}") from error
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


def write_document(path: Path, document: BaseModel, each: str) -> None:
    """Write a document atomically, the items of one of its lists a line each, so that a difference of two shows which changed."""
    head = dumps(document.model_dump(exclude={each}), indent=1)
    lines = ",\n".join(dumps(item.model_dump(), separators=(",", ":")) for item in getattr(document, each))
    write_text(path, f'{head[:-2]},\n "{each}": [\n{lines}\n ]\n}}\n')
