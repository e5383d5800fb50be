"""A sheet to draw on."""

from __future__ import annotations

import matplotlib as mpl
import pytest

from mpcheck.report.pictures.canvas import LINE, WIDTH, Canvas, decades, legend_height, readable, settings
from tests.unit.report.pictures.samples import SVG, texts, tree


def test_our_settings_hold_while_drawing_only() -> None:
    before = mpl.rcParams["svg.hashsalt"]
    with mpl.rc_context({"text.usetex": True}), settings():
        assert mpl.rcParams["svg.hashsalt"] == "mpcheck" and not mpl.rcParams["text.usetex"]
    assert mpl.rcParams["svg.hashsalt"] == before


def test_a_shortened_text_is_whole_under_the_pointer() -> None:
    name = "interactions.0." + "x" * 200 + ".linear"
    with settings():
        canvas = Canvas(30)
        canvas.write(0, 10, name, room=80)
        canvas.write(0, 20, "short", room=80)
        picture = canvas.picture("p", "ratios", "t", "c", "a")
    shown = texts(picture)
    assert name not in shown and "short" in shown and any("…" in word for word in shown)
    assert [e.text for e in tree(picture).iter(f"{SVG}title")] == ["t", name]


def test_a_legend_takes_the_room_that_it_says() -> None:
    names = ["a" * 20, "b" * 20, "c" * 20, "d" * 20]
    with settings():
        assert Canvas(80).legend(0, LINE / 2, [(n, {"marker": "o"}) for n in names]) == legend_height(names) + LINE / 2
    assert legend_height(names) > legend_height(names[:1]) == LINE


@pytest.mark.parametrize(("low", "high"), [(-3.2, 4.1), (-0.2, 0.3), (1.0, 1.01), (-12.0, 12.0)])
def test_ticks_lie_within_the_axis_and_are_few(low: float, high: float) -> None:
    for most, mark in ((9, lambda axes: readable(axes, "x", low, high)), (5, lambda axes: decades(axes, "x", low, high))):
        axes = Canvas(50).axes(0, 0, WIDTH, 40)
        mark(axes)
        places = list(axes.get_xticks())
        assert all(low <= place <= high for place in places) and (len(places) <= most or high - low > 20)
        assert len({t.get_text() for t in axes.get_xticklabels()}) == len(places)
