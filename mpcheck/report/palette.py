"""How verdicts look, wherever they are shown: a colour by name, and a mark, so that none is told by its colour alone.

The values of the colours for pages and pictures are in ``page/templates/theme.css``, for light and dark; a terminal has its own. No other
file names a colour.
"""

from __future__ import annotations

from typing import Literal

Colour = Literal["pass", "fail", "warn", "quiet", "better"]
"""Names of colours; on the page they are classes."""
COLOURS: dict[str, Colour] = {
    "pass": "pass", "PASS": "pass", "fixed": "pass",
    "fail": "fail", "FAIL": "fail", "crashed": "fail", "CRASHED": "fail", "missing": "fail", "new-failure": "fail", "gone": "fail", "slower": "fail",
    "degraded": "warn", "known-fault": "warn", "inconclusive": "warn", "removed": "warn", "no-baseline": "warn", "nothing judged": "warn",
    "NOTHING JUDGED": "warn", "faster": "better",
}  # fmt: skip
"""Of verdicts, outcomes and changes; every other one is muted."""
MARKS = {
    "fail": "✗", "missing": "✗", "pass": "✓", "degraded": "!", "known-fault": "◆", "inconclusive": "?", "no-baseline": "+", "removed": "−",
    "indistinguishable": "=", "unsupported": "–", "FAIL": "✗", "CRASHED": "✗", "PASS": "✓", "NOTHING JUDGED": "?",
}  # fmt: skip
TERMINAL: dict[Colour, str] = {"pass": "green", "fail": "bold red", "warn": "yellow", "quiet": "dim", "better": "cyan"}
"""rich's styles."""


def colour(verdict: str) -> Colour:
    """The name of a verdict's colour."""
    return COLOURS.get(verdict, "quiet")


def style(verdict: str, strong: bool = False) -> str:
    """A verdict's style on a terminal; ``strong`` for the last word."""
    plain = TERMINAL[colour(verdict)]
    return f"bold {plain}" if strong and not plain.startswith("bold") else plain


def mark(verdict: str) -> str:
    """A verdict's mark; a dot where it has none."""
    return MARKS.get(verdict, "·")
