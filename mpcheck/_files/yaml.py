"""Strict YAML: ruamel.yaml reads it (``1e-6`` is a number, duplicate keys are refused), pydantic checks it.

What aliases expand to, nesting and length are bounded while events arrive, before anything is made of them: a few hundred bytes of aliases
can stand for more than any machine holds, and a merge (``<<``) copies them out.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import ruamel.yaml
import ruamel.yaml.events as events
import ruamel.yaml.parser
from pydantic import BaseModel, ConfigDict, ValidationError

from mpcheck._errors import InputError
from mpcheck._files.io import read_text
from mpcheck._text import half, shortened


class Strict(BaseModel):
    """Base of every schema: unknown fields are errors, values are not coerced across types, instances are frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


Model = TypeVar("Model", bound=BaseModel)


MAX_BYTES = 512 << 10  # the derived table of the built-in model has 40 kB; ruamel.yaml reads 150 kB in a second
MOST_DEPTH = 32
MOST_NODES = 100_000
LONGEST = 20_000  # characters of one value


class _Bounded(ruamel.yaml.parser.Parser):
    """Counts what the document would expand to. Everything that is composed comes through ``get_event``."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        self._nodes = 0
        self._open: list[tuple[str | None, int]] = []
        self._sizes: dict[str, int] = {}
        super().__init__(*arguments, **named)

    def get_event(self) -> Any:
        """The next event.

        Raises:
            ValueError: too much, with the event's line as ``problem_mark``.
        """
        event = super().get_event()
        problem = self._count(event)
        if problem:
            error = ValueError(problem)
            error.problem_mark = event.start_mark  # type: ignore[attr-defined]  # as ruamel.yaml's own errors have it
            raise error
        return event

    def _count(self, event: Any) -> str:
        if isinstance(event, (events.MappingStartEvent, events.SequenceStartEvent)):
            self._open.append((event.anchor, self._nodes))
            self._nodes += 1
        elif isinstance(event, (events.MappingEndEvent, events.SequenceEndEvent)):
            anchor, before = self._open.pop()
            if anchor:
                self._sizes[anchor] = self._nodes - before
        elif isinstance(event, events.AliasEvent):
            if event.anchor in {anchor for anchor, _ in self._open}:
                return f"*{event.anchor[:80]} is inside what it stands for"
            self._nodes += self._sizes.get(event.anchor, 1)
        elif isinstance(event, events.ScalarEvent):
            self._nodes += 1
            return _scalar(event.value)
        if len(self._open) > MOST_DEPTH:
            return f"nested deeper than {MOST_DEPTH} levels"
        return f"more than {MOST_NODES:,} values, those that aliases stand for counted each time" if self._nodes > MOST_NODES else ""


def _scalar(text: str) -> str:
    """What is wrong with a value as text; empty where nothing is."""
    if len(text) > LONGEST:
        return f"a value of {len(text):,} characters, {LONGEST:,} are read at most"
    alone = half(text)
    return f"{alone} alone is half a character" if alone else ""


def _refuse_large(data: Any) -> None:
    """A whole number that is in no format of ours has too many digits even to be named in an error."""
    if isinstance(data, int) and abs(data) >= 1 << 63:
        raise ValueError("a whole number beyond 64 bits")
    for part in (*data, *data.values()) if isinstance(data, dict) else data if isinstance(data, (list, tuple, set)) else ():
        _refuse_large(part)


def parse_yaml(text: str, where: str) -> Any:
    """Plain Python data of a YAML document.

    Raises:
        InputError: broken YAML or a duplicate key, with its line; more than 512 KiB, 32 levels, or 100,000 values with every alias written
            out; whole numbers beyond 64 bits.
    """
    if len(text) > MAX_BYTES:
        raise InputError(f"{where}: larger than {MAX_BYTES >> 10} KiB; this cannot be the right file")
    yaml = ruamel.yaml.YAML(typ="safe", pure=True)
    yaml.Parser = _Bounded
    try:
        data = yaml.load(text)
        _refuse_large(data)
        return data
    except Exception as error:  # YAMLError, and whatever ruamel.yaml's constructors raise: KeyError for `!!bool maybe`
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 1}" if mark is not None else ""
        problem = getattr(error, "problem", None) or str(error) or type(error).__name__
        raise InputError(f"{where}{line}: not valid YAML: {shortened(problem, 300)}") from error


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
