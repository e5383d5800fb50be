"""Colours are variables of the page, readable in light and dark; series differ without them."""

from __future__ import annotations

import re

import pytest

from mpcheck.report.pictures import Picture
from mpcheck.report.pictures.theme import NAMES, css, series_style
from tests.unit.report.pictures.samples import SVG, tree


def test_colours_are_variables_with_a_value_in_light_and_dark(all_pictures: list[Picture]) -> None:
    for picture in all_pictures:
        assert not re.search(
            r"(?<!url\()(?<!href=\")#[0-9a-fA-F]{3,8}\b", " ".join(v for e in tree(picture).iter() for v in e.attrib.values()).replace("url(#", "")
        )
        assert set(re.findall(r"var\(--([\w-]+)\)", picture.svg)) <= set(NAMES)
        assert all("fill:var(" in e.attrib["style"] for e in tree(picture).iter(f"{SVG}text"))
    assert all(set(NAMES) <= set(theme) for theme in themes())


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def themes() -> list[dict[str, str]]:
    """Values of the variables, light and dark."""
    return [dict(re.findall(r"--([\w-]+):\s*(#[0-9a-f]{6})", part)) for part in css().split("@media")[:2]]


@pytest.mark.parametrize("place", [0, 1])
def test_numbers_are_readable_on_every_shade(place: int) -> None:
    theme = themes()[place]
    assert min(contrast(theme["ink"], theme[f"heat-{i}"]) for i in range(7)) >= 4.5
    assert min(contrast(theme[n], theme["paper"]) for n in NAMES if not n.startswith(("heat", "paper", "grid"))) >= 4.5


def test_series_differ_without_colour() -> None:
    styles = [series_style(i) for i in range(16)]
    assert len({s.marker for s in styles[:8]}) == len({str(s.dash) for s in styles[:8]}) == 8
    assert len({(s.colour, s.marker) for s in styles}) == 16
