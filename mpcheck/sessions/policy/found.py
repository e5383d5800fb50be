"""Files of policies that a search found."""

from __future__ import annotations

from collections.abc import Sequence

from mpcheck.report.pictures.words import slug


def found_file(backend: str, system: str, systems: Sequence[str]) -> str:
    """Name of the file: ``policy-e3nn.yaml``; of several systems one for each, for what is safe on one need not be on another.

    Args:
        systems: all of the run.
    """
    if len(systems) < 2:
        return f"policy-{backend}.yaml"
    own = [slug(name) for name in systems]
    place = list(systems).index(system)
    number = f"-{place + 1}" if own.count(own[place]) > 1 else ""  # of two files whose names differ in punctuation alone
    return f"policy-{backend}-{own[place]}{number}.yaml"
