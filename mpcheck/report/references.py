"""Where the references came from that a run was judged by, in words."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mpcheck.records.document import JudgedSystem, Reference

SHORT = 12  # digits of a digest that are shown
INSTALLED = re.compile(r" from \S*[/\\](site|dist)-packages[/\\]\S*$")
"""A package that is installed as others are needs no place in a line; a fork's own files do. The records have both."""
WORDS = {"made now": "made now by", "cache": "from the cache, made {made} by", "base": "of base, made {made} by"}


def reference_lines(systems: Sequence[JudgedSystem]) -> list[str]:
    """One line for all systems whose references have the same origin; none where records tell of none."""
    systems_by_words: dict[str, list[str]] = {}
    for system in systems:
        if system.reference is not None and system.reference.origin in WORDS:
            systems_by_words.setdefault(_words(system.reference), []).append(system.name)
    several = len(systems_by_words) > 1
    return ["references: " + words + (f" ({', '.join(names)})" if several else "") for words, names in systems_by_words.items()]


def _words(reference: Reference) -> str:
    by, code = ", ".join(INSTALLED.sub("", one) for one in reference.by), reference.code[:SHORT]
    if not code:
        return "of base, which made none"
    return WORDS[reference.origin].format(made=reference.made or "earlier") + f" code {code}" + (f": {by}" if by else "")
