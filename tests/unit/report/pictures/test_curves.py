"""Curves: every series in the legend and the words, logarithms without zeros, nothing of nothing."""

from __future__ import annotations

from mpcheck.report.pictures.canvas import settings
from mpcheck.report.pictures.curves import MOST, Curve, Words, curves_picture

WORDS = Words("p", "errors", "Title", "Caption.", "time, ps", "K")


def drawn(curves: list[Curve], **more: bool):
    with settings():
        return curves_picture(curves, WORDS, **more)


def test_every_series_is_named_and_told_in_words() -> None:
    picture = drawn([Curve("float64", [0, 1, 2], [300, 310, 290]), Curve("float32", [0, 1, 2], [300, 311, 289])])
    assert picture is not None and "float64" in picture.svg and "float32 ends at 289" in picture.alt


def test_what_has_no_logarithm_is_left_out() -> None:
    picture = drawn([Curve("a", [0, 1, 2, 3], [0.0, 1e-6, float("nan"), 1e-4]), Curve("a", [0, 1], [1e-5, 1e-3], promised=True)], log=True)
    assert picture is not None and "promised" in picture.svg and "a (promised) ends at 0.001" in picture.alt


def test_nothing_is_drawn_of_nothing() -> None:
    assert drawn([]) is None and drawn([Curve("a", [0], [1])]) is None and drawn([Curve("a", [0, 1], [0, 0])], log=True) is None


def test_more_than_there_is_room_for_is_counted() -> None:
    picture = drawn([Curve(f"p{i}", [0, 1], [i, i + 1]) for i in range(MOST + 3)])
    assert picture is not None and "3 further curves left out." in picture.caption
