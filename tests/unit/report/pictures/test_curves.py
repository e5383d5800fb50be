"""Curves: what is no number is left out, and the rest is told in words."""

from __future__ import annotations

from mpcheck.report.pictures.canvas import settings
from mpcheck.report.pictures.curves import Curve, Words, curve_picture

WORDS = Words("name", "errors", "Loss by epoch", "What is drawn.", "epoch", "loss")


def test_a_line_ends_where_there_is_no_number() -> None:
    made = curve_picture([Curve("float64", [(0, 3.0), (1, 1.0)]), Curve("<half>", [(0, 3.0), (1, None)])], WORDS)
    assert made is not None and "float64 ends at 1" in made.alt and "<half> ends at no number" in made.alt
    assert "<half>" not in made.svg and "&lt;half&gt;" in made.svg


def test_many_decades_and_steps() -> None:
    with settings():
        made = curve_picture([Curve("scale", [(0, 65536.0), (3, 1.0), (9, 2.0**-20)])], WORDS, steps="post")
    assert made is not None and "10⁻" in made.svg


def test_nothing_is_drawn_of_nothing() -> None:
    assert curve_picture([], WORDS) is None
    assert curve_picture([Curve("a", [(0, None), (1, 0.0)])], WORDS) is None
