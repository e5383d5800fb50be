"""All parts of a survey: those in modules of this folder's ``parts``, and those that others register by the entry point ``mpcheck.survey_parts``."""

from __future__ import annotations

import pkgutil
from collections.abc import Sequence
from fnmatch import fnmatchcase
from importlib import import_module
from importlib.metadata import entry_points

from mpcheck._errors import InputError
from mpcheck._text import near
from mpcheck.sessions.survey import parts as package
from mpcheck.survey.part import Part, Scale

GROUP = "mpcheck.survey_parts"


def parts(scale: Scale | None = None) -> list[Part]:
    """Every part, of those of a device and size where they are named, most valuable first."""
    modules = [import_module(f"{package.__name__}.{m.name}") for m in pkgutil.iter_modules(package.__path__)]
    every = [part for module in modules for part in module.PARTS]
    every += [part for point in entry_points(group=GROUP) for part in point.load()]
    some = [p for p in every if scale is None or (scale.kind in p.kinds and (p.toy or not scale.toy))]
    return sorted(some, key=lambda part: (part.order, part.name))


def chosen(every: Sequence[Part], patterns: Sequence[str]) -> list[Part]:
    """Parts whose name or subject fits a pattern, in their order; all where there are none.

    Raises:
        InputError: a pattern that fits none.
    """
    for pattern in patterns:
        if not any(_fits(part, pattern) for part in every):
            raise InputError(
                f"--part {pattern}: no such part{near(pattern, [part.name for part in every])}; choose from {', '.join(part.name for part in every)}"
            )
    return [part for part in every if not patterns or any(_fits(part, pattern) for pattern in patterns)]


def _fits(part: Part, pattern: str) -> bool:
    return fnmatchcase(part.name, pattern) or fnmatchcase(part.subject, pattern)
