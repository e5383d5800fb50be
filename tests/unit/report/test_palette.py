"""The report's colours are told apart from their ground in both themes (WCAG AA)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mpcheck.report import palette

CSS = Path(__file__).parents[3] / "mpcheck" / "report" / "page" / "templates" / "theme.css"
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


ROOT = CSS.parents[4]
HOMES = {"mpcheck/report/page/templates/theme.css", "mpcheck/report/palette.py", "mpcheck/report/pictures/theme.py"}
NAMED = r"black|white|red|green|blue|yellow|cyan|magenta|orange|purple|gr[ae]y"
A_COLOUR = re.compile(
    rf"""["':\s](#[0-9a-fA-F]{{3,8}})\b["';\s]|\brgba?\(|colou?r\s*[=:]\s*["']?(?:{NAMED})\b"""
    rf"""|["'](?:bold |dim )(?:{NAMED})["']|["'](?:cyan|magenta)["']"""
)


def test_every_colour_is_in_one_place() -> None:
    files = [p for s in ("py", "css", "j2") for p in (ROOT / "mpcheck").rglob(f"*.{s}")] + [*(ROOT / "tests" / "faults").rglob("*.py")]
    found = {p.relative_to(ROOT).as_posix(): A_COLOUR.findall(p.read_text(encoding="utf-8")) for p in files}
    assert len(files) > 100
    assert {name for name, colours_ in found.items() if colours_} <= HOMES


@pytest.mark.parametrize(
    "text", ['x = "#0072b2"', "fill: #fff;", 'color="black"', 'edgecolor="white"', 'style = "bold red"', 'f("cyan")', "rgb(1,2,3)"]
)
def test_the_static_test_sees_a_colour(text: str) -> None:
    assert A_COLOUR.search(text)


def test_verdicts_are_told_by_marks_too() -> None:
    assert {palette.colour(v) for v in palette.MARKS} <= {"pass", "fail", "warn", "quiet"}
    shown = {v: (palette.style(v), palette.mark(v)) for v in ("pass", "fail", "degraded", "unsupported")}
    assert len({style for style, _ in shown.values()}) == len({mark for _, mark in shown.values()}) == 4
    assert palette.style("pass", strong=True) == "bold green" and palette.style("fail", strong=True) == palette.style("fail")
