"""What users type for the training-step session's own options."""

from __future__ import annotations

from collections.abc import Sequence

from mpcheck.learning.step.names import REGIMES
from mpcheck.sessions.typed import known_names


def regimes(texts: Sequence[str]) -> tuple[str, ...]:
    """Names of regimes, each once.

    Raises:
        InputError: an unknown one.
    """
    return known_names("regime", [part.strip() for text in texts for part in text.split(",") if part.strip()], REGIMES)
