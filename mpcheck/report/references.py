"""Where the references came from that a run was judged by, in words."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

SHORT = 12  # digits of a digest that are shown
INSTALLED = re.compile(r" from \S*[/\\](site|dist)-packages[/\\]\S*$")
"""A package that is installed as others are needs no place in a line; a fork's own files do. The records have both."""
WORDS = {"made now": "made now by", "cache": "from the cache, made {made} by", "base": "of base, made {made} by"}


def reference_lines(systems: Sequence[Mapping[str, Any]]) -> list[str]:
    """One line for all systems whose references have the same origin; none where records tell of none."""
    found: dict[str, list[str]] = {}
    for system in systems:
        reference = system.get("reference")
        if isinstance(reference, dict) and str(reference.get("from")) in WORDS:
            found.setdefault(_words(reference), []).append(str(system.get("name")))
    several = len(found) > 1
    return ["references: " + words + (f" ({', '.join(names)})" if several else "") for words, names in found.items()]


def _words(reference: Mapping[str, Any]) -> str:
    listed = reference.get("by")
    by = ", ".join(INSTALLED.sub("", str(one)) for one in (listed if isinstance(listed, list) else []))
    code = str(reference.get("code", ""))[:SHORT]
    if not code:
        return "of base, which made none"
    return WORDS[str(reference["from"])].format(made=reference.get("made") or "earlier") + f" code {code}" + (f": {by}" if by else "")
