"""Where a policy's error comes from."""

from __future__ import annotations

import math

from mpcheck.report.pictures.canvas import settings
from mpcheck.report.pictures.spending import MOST_ROWS, TOTAL, Spent, spending_picture
from tests.unit.report.pictures.samples import texts


def test_blocks_are_sorted_by_what_they_spend_with_their_share_of_the_square() -> None:
    rows = [Spent("small", "float16", 0.3, 0.4), Spent("large", "bfloat16", 4.0), Spent("unpredicted", "bfloat16", None, 3.0)]
    with settings():
        picture = spending_picture(rows, Spent(TOTAL, "seeds", 5.0, 4.1), "force", "seeds")
    assert picture is not None and picture.section == "errors" and picture.name == "budget-seeds-force"
    shown = texts(picture)
    order = [t for t in shown if t in (TOTAL, "large", "unpredicted", "small")]
    assert order == [TOTAL, "large", "unpredicted", "small"]
    assert {"64 %", "36 %", "< 1 %", "5", "4", "3", "0.3"} <= set(shown)
    assert "large: 4 predicted; unpredicted: 3 measured; small: 0.3 predicted and 0.4 measured" in picture.alt
    assert "10 meV/Å" in picture.caption and "#0f" not in picture.svg


def test_further_blocks_are_summed_up_in_quadrature() -> None:
    rows = [Spent(f"block {i}", "float16", 1.0 if i < MOST_ROWS else 0.5, 0.5) for i in range(MOST_ROWS + 4)]
    with settings():
        picture = spending_picture(rows, Spent(TOTAL, "", 4.0), "energy", "mine")
    assert picture is not None
    shown = texts(picture)
    assert "4 others" in shown and "block 16" not in shown and shown.count("1") == MOST_ROWS + 1
    assert "4 further blocks are summed up" in picture.caption and "noise of DFT labels" in picture.caption


def test_what_is_not_finite_and_what_spends_nothing_is_no_obstacle() -> None:
    rows = [Spent("overflows", "float16", math.inf, math.nan), Spent("exact", "float64", 0.0, 0.0), Spent("usual", "float16", 1.0)]
    with settings():
        picture = spending_picture(rows, Spent(TOTAL, "", math.inf), "force", "mine")
        assert spending_picture([Spent("exact", "float64", 0.0)], Spent(TOTAL, "", 0.0), "force", "none") is None
        assert spending_picture([], Spent(TOTAL, "", None), "force", "none") is None
    assert picture is not None and "exact" not in texts(picture) and {"overflows", "usual", "inf"} <= set(texts(picture))
