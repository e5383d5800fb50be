"""Values by series and group."""

from __future__ import annotations

from mpcheck.report.pictures.curves import Words
from mpcheck.report.pictures.grouped import Spread, grouped_picture

WORDS = Words("name", "errors", "Errors", "Points are means.", "RMSE, meV/Å", "")


def test_means_are_told_and_what_cannot_be_drawn_is_left_out() -> None:
    made = grouped_picture([Spread("float64", "test", [100.0, 200.0]), Spread("half", "test", []), Spread("zero", "train", [0.0])], WORDS)
    assert made is not None and "float64, test: 150" in made.alt and "half" not in made.alt and "zero" not in made.alt


def test_nothing_is_drawn_of_nothing() -> None:
    assert grouped_picture([Spread("half", "test", [float("nan")])], WORDS) is None
