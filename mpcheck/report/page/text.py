"""Numbers of the report in words, and how much of a name it shows."""

from __future__ import annotations

NAME = 120
"""Characters of a name that are shown."""


def figure(value: float | None) -> str:
    """A ratio for a table: two decimals, powers of ten where they would hide it, a dash where there is none."""
    if value is None:
        return "–"
    if value == float("inf"):
        return "∞"
    return f"{value:.2f}" if value == 0 or 0.005 <= abs(value) < 99.5 else f"{value:.1e}"
