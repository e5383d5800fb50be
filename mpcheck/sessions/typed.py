"""What a user typed of an option, told apart from what it cannot be before anything heavy is imported: a wrong word is refused at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from mpcheck._errors import InputError
from mpcheck._files.io import is_file
from mpcheck._files.named import refuse_missing_model, structure_file
from mpcheck._memory import size_of
from mpcheck._names import DEFAULT_BACKENDS, PLACES, SAMPLES
from mpcheck._text import near
from mpcheck._variants import parted

BACKENDS_GROUP = "mpcheck.backends"
"""Entry points that name backends."""


def backend_names() -> tuple[str, ...]:
    """Backends that are installed, by name, those that are judged by default first, other built-in ones next; none of them is imported."""
    there = sorted(entry_points(group=BACKENDS_GROUP), key=lambda point: (not point.value.startswith("mpcheck."), point.name))
    names = {point.name: None for point in there}
    return (*(name for name in DEFAULT_BACKENDS if name in names), *(name for name in names if name not in DEFAULT_BACKENDS))


def known_names(kind: str, names: Sequence[str], known: Iterable[str], of: str = "") -> tuple[str, ...]:
    """The names, each once.

    Args:
        kind, of: what they are names of, before and behind a wrong one.

    Raises:
        InputError: one that is not known; lists those that are.
    """
    there = list(known)
    for name in names:
        if name not in there:
            raise InputError(f"unknown {kind} {name!r}{near(name, there)}{of}; choose from {', '.join(there)}")
    return tuple(dict.fromkeys(names))


def parse_backends(texts: Sequence[str]) -> tuple[str, ...]:
    """Backends, each as it is or in a variant. Raises as :func:`mpcheck._variants.parted`."""
    known = backend_names()
    for text in texts:
        parted(text, known)
    return tuple(dict.fromkeys(texts))


def parse_place(texts: Sequence[str]) -> str:
    """Where references are made. Raises as :func:`known_names`."""
    return known_names("place", texts[-1:], PLACES)[-1]


def parse_rows(texts: Sequence[str]) -> str:
    """Which rows of large tensors are judged. Raises as :func:`known_names`."""
    return known_names("value", texts[-1:], SAMPLES, " of --rows")[-1]


def parse_device(texts: Sequence[str]) -> str:
    """``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        InputError: anything else. A missing CUDA device is not an input error: its cells say `unsupported`.
    """
    text = texts[-1]
    kind, _, index = text.partition(":")
    if kind not in ("cpu", "cuda") or (index and not index.isdigit()) or (kind == "cpu" and index):
        raise InputError(f"unknown device {text!r}; choose cpu, cuda or cuda:N")
    return text


def parse_size(texts: Sequence[str], option: str = "--memory-limit") -> str:
    """A size that a user typed, as typed.

    Raises:
        InputError: none.
    """
    size_of(texts[-1], option)
    return texts[-1]


def parse_cache_size(texts: Sequence[str]) -> str:
    """See :func:`parse_size`."""
    return parse_size(texts, "--cache-limit")


def refuse_missing(values: Mapping[str, Any]) -> None:
    """Refuse a model, structures or tolerances that are not there.

    Args:
        values: of a session's options, by field; those that are not given are not there.

    Raises:
        InputError: what is missing, and what may be given.
    """
    if values.get("model"):
        refuse_missing_model(str(values["model"]))
    for system in values.get("systems", ()):
        if not str(system).startswith("builtin:"):
            structure_file(str(system))
    tolerances = values.get("tolerances")
    if tolerances is not None and not is_file(Path(tolerances)):
        raise InputError(f"tolerance file {tolerances} does not exist; give another, or leave --tolerances out for the packaged limits")
