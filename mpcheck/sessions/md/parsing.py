"""What a user types for the md session, read before torch is imported."""

from __future__ import annotations

from collections.abc import Sequence

from mpcheck._errors import InputError
from mpcheck.dynamics.protocols.protocol import get_protocol

CLUSTERS = ("local", "slurm")


def protocols(texts: Sequence[str]) -> tuple[str, ...]:
    """Names of protocols that there are.

    Raises:
        InputError: unknown, or a file that is none.
    """
    for text in texts:
        get_protocol(text)
    return tuple(dict.fromkeys(texts))


def cluster(texts: Sequence[str]) -> str:
    """Where runs are sent.

    Raises:
        InputError: anywhere else.
    """
    if (where := texts[-1]) not in CLUSTERS:
        raise InputError(f"--cluster is {where!r}; choose from {', '.join(CLUSTERS)}, or leave it out")
    return where
