"""The report's colours are told apart from their ground in both themes (WCAG AA)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

CSS = Path(__file__).parents[2] / "mpcheck" / "report" / "page" / "templates" / "theme.css"
COLOUR = re.compile(r"--([\w-]+):\s*(#[0-9a-f]{6})")


def colours(theme: str) -> dict[str, str]:
    light, _, dark = CSS.read_text(encoding="utf-8").partition("@media")
    found = dict(COLOUR.findall(light))
    return found | dict(COLOUR.findall(dark)) if theme == "dark" else found


def contrast(one: str, other: str) -> float:
    """By WCAG 2: ratio of relative luminances."""

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    bright, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_colours_are_told_apart_from_their_ground(theme: str) -> None:
    c = colours(theme)
    for ground in ("paper", "panel", "fail-ground", "pass-ground", "warn-ground"):
        for text in ("ink", "muted", "link"):
            assert contrast(c[text], c[ground]) >= 4.5, (text, ground)
    for verdict in ("fail", "pass", "warn"):
        for ground in ("paper", "panel", f"{verdict}-ground"):
            assert contrast(c[verdict], c[ground]) >= 4.5, (verdict, ground)
    for i in range(8):
        assert contrast(c[f"series-{i}"], c["paper"]) >= 4.5, i
    for i in range(7):
        assert contrast(c["ink"], c[f"heat-{i}"]) >= 4.5, i


def test_the_themes_define_the_same_variables() -> None:
    light, _, dark = CSS.read_text(encoding="utf-8").partition("@media")
    assert set(re.findall(r"--([\w-]+):", light.partition("*/")[2])) == set(re.findall(r"--([\w-]+):", dark))
