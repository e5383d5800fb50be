"""A ratio in words."""

from __future__ import annotations

NO_ROUNDING = 1e3
"""Times the limit: a sum kept in 16 bits errs by ten to a hundred times it, a wrong formula in float32 by 10^5 and more."""


ALLOWED = "what is allowed"


def nature(share: float) -> str:
    """`` (no rounding error of this format is that large)`` of a share of the limit that only another computation makes; else nothing.

    An infinite share is none: something raised, is missing or is no number, and the reason says what.
    """
    return " (no rounding error of this format is that large)" if NO_ROUNDING < share < float("inf") else ""


def figure(value: float | None) -> str:
    """A ratio for a table: two decimals, powers of ten where they would hide it, a dash where there is none."""
    if value is None:
        return "–"
    if value == float("inf"):
        return "∞"
    return f"{value:.2f}" if value == 0 or 0.005 <= abs(value) < 99.5 else f"{value:.1e}"


def beyond(share: float, scale: str = ALLOWED) -> str:
    """``8.73 times what is allowed``, and what no rounding makes is called so; empty where nothing is beyond.

    Args:
        share: error over allowed error, infinite where there is no finite one: the reason then says what there is.
        scale: what 1 stands for.
    """
    if not 1.0 < share < float("inf"):
        return ""
    return f"{f'{share:,.0f}' if 99.5 <= share < 1e6 else figure(share)} times {scale}" + (nature(share) if scale == ALLOWED else "")
