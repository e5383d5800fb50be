"""What users type for the training session's own options."""

from __future__ import annotations

from collections.abc import Sequence

from mpcheck.learning.regimes import regimes as known
from mpcheck.sessions.typed import known_names


def regimes(texts: Sequence[str]) -> tuple[str, ...]:
    """Names of regimes, each once, with float64.

    Raises:
        InputError: an unknown one.
    """
    return known([part.strip() for text in texts for part in text.split(",") if part.strip()])


def weights(texts: Sequence[str]) -> str:
    """``ema`` or ``trained``. Raises as :func:`mpcheck.sessions.typed.known_names`."""
    return known_names("weights", texts[-1:], ("ema", "trained"))[-1]
