"""What users type for the policy session's own options."""

from __future__ import annotations

from collections.abc import Sequence

from mpcheck._errors import InputError
from mpcheck.policy.accuracy import parse_budget
from mpcheck.policy.rules import get_policy

VARIANTS = ("compile", "script", "cudagraph")


def budget(texts: Sequence[str]) -> str:
    """A budget as it is written.

    Raises:
        InputError: it cannot be read.
    """
    return str(parse_budget(texts[-1]))


def policies(texts: Sequence[str]) -> tuple[str, ...]:
    """Names of policies, each once.

    Raises:
        InputError: see :func:`mpcheck.policy.rules.get_policy`.
    """
    for name in texts:
        get_policy(name)
    return tuple(dict.fromkeys(texts))


def variants(texts: Sequence[str]) -> tuple[str, ...]:
    """Names of variants, with or without their plus.

    Raises:
        InputError: an unknown one.
    """
    names = tuple(dict.fromkeys(part.strip().removeprefix("+") for text in texts for part in text.split(",") if part.strip()))
    for name in names:
        if name not in VARIANTS:
            raise InputError(f"unknown variant {name!r}; choose from {', '.join(VARIANTS)}")
    return names
